"""A guard for nodes of LangGraph graphs: they return what they add, never the whole state."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, get_type_hints

from langgraph.types import Command

from fanfold import engine
from fanfold.engine import SchemaError, fields_of

T = TypeVar("T")
N = TypeVar("N", bound=Callable[..., Any])


def updates_only(node: N, *, schema: type | None = None) -> N:
    """Make a node fail that returns its state instead of an update, as `return {**state}` or `return state` does.

    Beside reducers such a return doubles lists and counters: what the state held is added to it once more. What is
    refused, and what can't be told, `engine.updates_only` says.

    Args:
        node: an async or plain function of a state; what LangGraph injects (`config`, `runtime`, ...) it gets too.
        schema: the state's type, with its reducers; None = the annotation of the node's first parameter.
    Raises:
        SchemaError: here, where no schema is known.
        UpdateError: from the node.
    """
    refuse_no_function(node)
    declared = schema or schema_of_input(node)
    if declared is None:
        raise SchemaError(f"{_name(node)} doesn't say what its state is", hint="annotate its parameter or pass schema=")

    async def checked(state: Any, *args: Any, **kwargs: Any) -> Any:
        returned: list[Any] = []

        async def branch(_: None, state: Any) -> Any:
            returned.append(await called(node, state, *args, **kwargs))
            return returned[0].update if isinstance(returned[0], Command) else returned[0]

        await engine.updates_only(branch, schema=declared)(None, state)
        return returned[0]

    return like(node, checked)


def schema_of_input(node: Callable[..., Any]) -> type | None:
    """The TypedDict, dataclass or model that a node's first parameter is annotated with; None where it isn't."""
    try:
        hints = get_type_hints(node)
        first = next(iter(inspect.signature(node).parameters), "")
        fields_of(hints[first])
    except (KeyError, NameError, TypeError, SchemaError):
        return None
    return hints[first]  # type: ignore[no-any-return]


def like(node: N, through: Callable[..., Coroutine[Any, Any, Any]]) -> N:
    """A node that goes through an async function: async or plain as `node` is, with its name and parameters."""
    refuse_no_function(node)
    if is_async(node):

        @functools.wraps(node)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            return await through(*args, **kwargs)
    else:

        @functools.wraps(node)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return _ended(through(*args, **kwargs))

    return wrapper  # type: ignore[return-value]


def refuse_no_function(node: object) -> None:
    """Raise a TypeError for what LangGraph takes as a node and nobody can call: a graph or another runnable."""
    if not callable(node):
        kind = type(node).__name__
        raise TypeError(f"a {kind} is no function: write one that awaits its ainvoke, and decorate that")


async def called(node: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What a node returns, async or plain."""
    returned = node(*args, **kwargs)
    return await returned if is_async(node) else returned


def is_async(node: Callable[..., Any]) -> bool:
    """Whether calling it gives a coroutine."""
    return inspect.iscoroutinefunction(node) or inspect.iscoroutinefunction(getattr(node, "__call__", None))  # noqa: B004


def _ended(coroutine: Coroutine[Any, Any, T]) -> T:
    """What a coroutine comes to that never waits, for a plain function is all that it calls."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    coroutine.close()
    raise AssertionError("a plain node waits for nothing")


def _name(node: Callable[..., Any]) -> str:
    return str(getattr(node, "__qualname__", type(node).__name__))
