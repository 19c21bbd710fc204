"""A node from a Pydantic AI agent; Pydantic AI is never imported here, the agent comes with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from string import Formatter
from typing import TYPE_CHECKING, Any

from fanfold.nodes.function_node import Choice, FunctionNode
from fanfold.nodes.node import NodeIncomplete, outputs_of

if TYPE_CHECKING:
    from pydantic_ai.agent import AbstractAgent


def from_pydantic_ai(
    agent: AbstractAgent[Any, Any],
    *,
    reads: str | Sequence[str],
    writes: str | Sequence[str],
    prompt: str | Callable[..., str] | None = None,
    deps: object = None,
    name: str | None = None,
    next_node: Choice[Any] | None = None,
    priority: float = 0,
) -> FunctionNode[Any]:
    """Make a node of a Pydantic AI agent.

    Args:
        agent: asked once for each run of the node, with no history.
        reads: the state's fields that the prompt is made of.
        writes: one field's name, which takes the agent's whole output; or several names, and then the output is an
            object or mapping with these.
        prompt: a text with `{field}` for each field it reads, or a function that takes them by name; None = the value
            of the one field that is read.
        deps: the agent's dependencies.
        name: None = the agent's own name, else "Agent".
        next_node: where the path goes on: a node, nodes, or a function of the state; None = nowhere.
        priority: a higher one gets a slot first.
    Raises:
        NodeIncomplete: several fields are read and no prompt says how, or the prompt names others.
    """
    read = (reads,) if isinstance(reads, str) else tuple(reads)
    if prompt is None and len(read) != 1:
        raise NodeIncomplete(
            f"an agent that reads {', '.join(read) or 'nothing'} needs a prompt",
            hint='give `prompt="Translate {text} into {language}"` or a function of these fields',
        )

    if isinstance(prompt, str):
        _refuse_unfit(prompt, read)

    async def ask(**inputs: Any) -> Any:
        told = next(iter(inputs.values())) if prompt is None else _prompt(prompt, inputs)
        output = (await agent.run(told, deps=deps)).output
        return output if isinstance(writes, str) else outputs_of(node, output, writes)

    node: FunctionNode[Any] = FunctionNode(
        ask, reads=read, writes=writes, name=name or agent.name or "Agent", next_node=next_node, priority=priority
    )
    return node


def _refuse_unfit(prompt: str, reads: Sequence[str]) -> None:
    try:
        named = list(_fields(prompt))
    except ValueError as error:
        raise NodeIncomplete(
            f"the prompt {prompt!r} can't be read: {error}", hint="write `{{` and `}}` for braces that name no field"
        ) from None
    for field in named:
        if field not in reads:
            raise NodeIncomplete(
                f"the prompt has a place for {field!r}, which the agent doesn't read",
                hint="name it in `reads`, or write `{{` and `}}` for braces that name no field",
            )


def _fields(prompt: str) -> Iterator[str]:
    """The fields that a prompt has places for, in the widths and formats of others too."""
    for _, place, form, _ in Formatter().parse(prompt):
        if place is not None:
            yield place.partition(".")[0].partition("[")[0]
            yield from _fields(form or "")


def _prompt(prompt: str | Callable[..., str], inputs: dict[str, Any]) -> str:
    return prompt.format_map(inputs) if isinstance(prompt, str) else prompt(**inputs)
