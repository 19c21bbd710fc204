"""A flow's graph as a node of another graph: what it gives back is what it adds.

A graph returns its whole state, and the graph around it takes that for an update: in fields that both have, under a
reducer, what was there before is there twice. So a flow's graph returns what is new in these, or where a reducer can't
tell what that is, the value with the word to overwrite.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from langgraph.channels import BinaryOperatorAggregate
from langgraph.types import Overwrite

from fanfold.engine import fields_of
from fanfold.engine.reducers import Reducer
from fanfold.runtimes.flow import Flow
from fanfold.runtimes.langgraph.place import CHANNELS

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig


def added_to_parent(flow: Flow[Any], given: Any, answer: Any, config: RunnableConfig | None) -> Any:
    """The answer of a graph that was given this, for the graph around it, if there is one."""
    around = _channels_around(config)
    if not around or not isinstance(answer, dict) or not isinstance(given, Mapping):
        return answer
    update = dict(answer)
    for name, field in fields_of(flow.state).items():
        if name in update and name in given and field.reducer is not None and _reduces(around.get(name)):
            update[name] = _added(field.reducer, given[name], update[name])
    return update


def _added(reducer: Reducer[Any], before: Any, after: Any) -> Any:
    try:
        return reducer.since(before, after) if reducer.since is not None else Overwrite(after)
    except ValueError:  # there is no update from the one to the other
        return Overwrite(after)


def _reduces(channel: object) -> bool:
    return isinstance(channel, BinaryOperatorAggregate)


def _channels_around(config: RunnableConfig | None) -> Mapping[str, Any]:
    """The channels of the graph whose node this config was made for; none where it is for no node."""
    read = (config or {}).get("configurable", {}).get(CHANNELS)
    parts: tuple[Any, ...] = getattr(read, "args", ())
    return next((part for part in parts if isinstance(part, Mapping)), {})
