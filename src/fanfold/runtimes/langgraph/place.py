"""Where in a LangGraph graph a node runs, and what the graph's state is there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from langgraph.config import get_config
from langgraph.runtime import get_runtime

from fanfold.errors import FanfoldError

CHANNELS = "__pregel_read"  # the key by which LangGraph's own nodes read the graph's state


class NotInGraph(FanfoldError):
    """A node that needs its graph was called by itself."""


@dataclass(frozen=True, slots=True)
class Place:
    """One run of a node.

    Attributes:
        thread: the `thread_id` that the graph was invoked with.
        node: the node's name, behind those of the nodes whose subgraphs it is in: `outer|inner`.
        step: the number of the superstep; it is the same when the step is run again after a crash.
        index: position among the step's Sends; None where an edge led here.
        checkpoint: names the superstep's state, in this process and in savers; None where LangGraph doesn't say.
    """

    thread: str | None
    node: str
    step: int
    index: int | None
    checkpoint: str | None


def place_here() -> Place:
    """Where the node runs that this code is in.

    Raises:
        NotInGraph: it doesn't run in a graph.
    """
    config = _config()
    metadata = config.get("metadata", {})
    if "langgraph_step" not in metadata:
        raise _not_in_graph()
    path, thread = metadata["langgraph_path"], config.get("configurable", {}).get("thread_id")
    return Place(
        thread=None if thread is None else str(thread),
        # Task ids stand behind the colons, and differ each time.
        node="|".join(part.split(":")[0] for part in metadata["langgraph_checkpoint_ns"].split("|")),
        step=metadata["langgraph_step"],
        index=path[1] if isinstance(path[1], int) else None,
        # LangGraph says so from 1.1 on.
        checkpoint=getattr(getattr(get_runtime(), "execution_info", None), "checkpoint_id", None),
    )


def values_here(fields: Iterable[str]) -> dict[str, Any]:
    """What the graph's state held of these fields when this superstep began: the very objects, not to be changed.

    A field that the graph hasn't is left out, as one without a value is.

    Raises:
        NotInGraph: this code doesn't run in a graph.
    """
    read = _config().get("configurable", {}).get(CHANNELS)
    if read is None:
        raise _not_in_graph()
    values: dict[str, Any] = {}
    for field in fields:
        with contextlib.suppress(KeyError):
            values.update(read([field], False))
    return values


def _config() -> Any:
    try:
        return get_config()
    except RuntimeError:  # no runnable runs at all
        raise _not_in_graph() from None


def _not_in_graph() -> NotInGraph:
    return NotInGraph("this node was called outside of a LangGraph graph", hint="invoke the graph that it is a node of")
