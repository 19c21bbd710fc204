"""A node from a plain async function."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from fanfold.nodes.node import AbstractBaseNode, NodeIncomplete, UnexpectedOutput, following
from fanfold.nodes.protocol import NextNode
from fanfold.nodes.signature import NodeSignature
from fanfold.nodes.state import set_fields

StateT = TypeVar("StateT")

Choice: TypeAlias = NextNode[StateT] | Callable[[StateT], NextNode[StateT] | Awaitable[NextNode[StateT]]]
"""Where a path goes on, or a function that decides it from the state, which may be async."""


class FunctionNode(AbstractBaseNode[StateT]):
    """A node whose work is one async function: see `from_function`, `from_dspy` and `from_pydantic_ai`."""

    def __init__(
        self,
        function: Callable[..., Awaitable[Any]],
        *,
        reads: Sequence[str],
        writes: str | Sequence[str],
        name: str,
        optional: Sequence[str] = (),
        next_node: Choice[StateT] | None = None,
        priority: float = 0,
    ) -> None:
        self.function = function
        self.name = name
        self.priority = priority
        self.next_node = next_node
        self.writes_one = isinstance(writes, str)
        written = (writes,) if isinstance(writes, str) else tuple(writes)
        self.signature: Any = NodeSignature(tuple(reads), written, tuple(optional))

    def __repr__(self) -> str:
        return f"<node {self.name}: {', '.join(self.signature.reads)} -> {', '.join(self.signature.writes)}>"

    @property
    def cache_key(self) -> tuple[str, ...] | None:
        """What stands for the node in a cache: its function's name, where that says all; else None."""
        function, signature = self.function, self.signature
        if not inspect.isfunction(function) or function.__closure__ or "<" in function.__qualname__:
            return None
        if self.next_node is not None:
            return None
        return (function.__module__, function.__qualname__, self.name or "", *signature.reads, "->", *signature.writes)

    def update_state(self, state: StateT, result: Any) -> None:
        """Write the result into the one field, or each of its values into the field of that name."""
        if self.writes_one:
            set_fields(state, {self.signature.writes[0]: result})
        elif self.signature.writes or result is not None:
            self._refuse_undeclared(result)
            super().update_state(state, result)

    async def _execute_signature(self, inputs: dict[str, Any]) -> Any:
        return await self.function(**inputs)

    async def _determine_next_node(self, state: StateT) -> NextNode[StateT]:
        return await following(self.next_node, state)

    def _refuse_undeclared(self, result: object) -> None:
        given = result if isinstance(result, Mapping) else ()
        undeclared = [str(key) for key in given if key not in self.signature.writes]
        if undeclared or not self.signature.writes:
            what = ", ".join(undeclared) or repr(result)
            raise UnexpectedOutput(
                f"{self.name} came to {what}, which it doesn't declare to write", hint="name it in `writes`"
            )


def from_function(
    fn: Callable[..., Awaitable[Any]],
    *,
    reads: str | Sequence[str] | None = None,
    writes: str | Sequence[str] = (),
    name: str | None = None,
    next_node: Choice[Any] | None = None,
    priority: float = 0,
) -> FunctionNode[Any]:
    """Make a node of an async function.

    Args:
        fn: called with the fields it reads, by name.
        reads: these fields, all of which must be there; None = the function's parameters, and of those one that has
            a default keeps it where the state lacks the field and no node writes it. Parameters that aren't named
            here keep their default always.
        writes: one field's name, which takes what the function returns; or several names, and then the function
            returns a mapping (or an object) with exactly these.
        name: None = the function's own.
        next_node: where the path goes on: a node, nodes, or a function of the state; None = nowhere.
        priority: a higher one gets a slot first.
    Raises:
        NodeIncomplete: the function isn't async, or takes other fields than it reads.
    """
    called = getattr(fn, "__name__", type(fn).__name__)
    if not _is_async(fn):
        raise NodeIncomplete(
            f"{called} is no async function", hint="define it with `async def`; call blocking code by asyncio.to_thread"
        )
    taken = parameters(fn)
    found = tuple(taken) if reads is None else (reads,) if isinstance(reads, str) else tuple(reads)
    _refuse_unfit(fn, called, found)
    return FunctionNode(
        fn, reads=found, writes=writes, name=name or called, next_node=next_node, priority=priority,
        optional=[one for one in found if taken[one]] if reads is None else (),
    )  # fmt: skip


def parameters(fn: Callable[..., object]) -> dict[str, bool]:
    """The names by which a function can be called with values, and whether each has a default."""
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    taken = inspect.signature(fn).parameters.values()
    return {one.name: one.default is not inspect.Parameter.empty for one in taken if one.kind in named}


def _refuse_unfit(fn: Callable[..., object], called: str, reads: Sequence[str]) -> None:
    try:
        inspect.signature(fn).bind(**dict.fromkeys(reads))
    except TypeError as error:
        raise NodeIncomplete(
            f"{called} can't be called with the fields {', '.join(reads) or '(none)'}: {error}",
            hint="name in `reads` the parameters that it needs, and no others",
        ) from None


def _is_async(fn: Callable[..., object]) -> bool:
    plain = getattr(fn, "func", fn)  # a partial's function
    return inspect.iscoroutinefunction(plain) or inspect.iscoroutinefunction(getattr(plain, "__call__", None))  # noqa: B004
