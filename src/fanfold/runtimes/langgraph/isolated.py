"""Isolated nodes of a LangGraph graph: what one branch does to its input, nobody else sees."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, TypeVar, overload

from langgraph.errors import GraphBubbleUp

from fanfold.engine import detach, fields_of
from fanfold.errors import FanfoldError
from fanfold.runtimes.langgraph.place import NotInGraph, place_here, values_here
from fanfold.runtimes.langgraph.snapshots import Snapshots
from fanfold.runtimes.langgraph.updates import called, like, updates_only

N = TypeVar("N", bound=Callable[..., Any])
OnError: TypeAlias = Callable[[Exception, Any], Any]

snapshots: Final = Snapshots()


class SendError(FanfoldError):
    """What a Send carries can't be joined with the graph's state."""


@overload
def isolated(node: N, *, shared: type | None = None, on_error: OnError | None = None) -> N: ...


@overload
def isolated(*, shared: type | None = None, on_error: OnError | None = None) -> Callable[[N], N]: ...


def isolated(
    node: Callable[..., Any] | None = None, *, shared: type | None = None, on_error: OnError | None = None
) -> Any:
    """Give each run of a node, each attempt of LangGraph's RetryPolicy included, a view of its input to itself.

    A node may then do anything to its input, nested objects included: no sibling that was sent the same objects, no
    later attempt and not the graph's state see it. What it returns is detached from the view. Every field of a dict
    is isolated by itself, at the cost of what the node touches of it; what the Sends of a superstep have in common is
    frozen once for all of them.

    Args:
        node: an async or plain function of a state; what LangGraph injects (`config`, `runtime`, ...) it gets too.
        shared: the graph's state, where Sends carry only what differs: `Send("node", {"file": file})`. The node gets
            the fields that the state had when the superstep began, and in front of these what its Send carries. So a
            saver writes what differs for each Send, and the state once. A dataclass or model is made of both. The
            node fails where it returns the state itself: see `updates_only`.
        on_error: makes an update of what the node raised: called with the error and with what the node was sent. Its
            siblings then go on. LangGraph sees no error, so its RetryPolicy doesn't try again: put `engine.retry`
            around the node, inside of this. Interrupts and Commands to a parent graph pass.
    Raises:
        From the node: IsolationError where the input can't be copied; with `shared`, UpdateError, SendError where a
        Send carries no dict, and NotInGraph.
    """
    if node is None:
        return functools.partial(isolated, shared=shared, on_error=on_error)
    guarded = node if shared is None else updates_only(node, schema=shared)

    async def through(sent: Any, *args: Any, **kwargs: Any) -> Any:
        checkpoint = _checkpoint_here()
        try:
            state = joined(_view(checkpoint, sent), shared_state(checkpoint, shared), shared)
            return detach(await called(guarded, state, *args, **kwargs))
        except Exception as error:
            if on_error is None or isinstance(error, GraphBubbleUp):
                raise
            return detach(on_error(error, _view(checkpoint, sent)))

    return like(node, through)


def shared_state(checkpoint: str | None, shared: type | None) -> dict[str, Any]:
    """A view of the graph's state as the superstep began; without a schema there is none."""
    if shared is None:
        return {}
    return snapshots.of_state(checkpoint, shared, lambda: values_here(fields_of(shared))).view()


def joined(sent: Any, state: Mapping[str, Any], shared: type | None) -> Any:
    """What a node is called with: the state, and in front of it what its Send carries.

    Raises:
        SendError: there are fields for what is no dict.
    """
    if shared is None:
        return sent
    if not isinstance(sent, Mapping):
        raise SendError(
            f"a Send carries a {type(sent).__name__}, which has no fields to join with the state's",
            hint='send a dict: Send("node", {"file": file})',
        )
    values = {**state, **sent}
    return values if issubclass(shared, dict) else shared(**values)


def _view(checkpoint: str | None, value: Any) -> Any:
    if type(value) is dict:
        return {name: snapshots.of(checkpoint, part).view() for name, part in value.items()}
    return snapshots.of(checkpoint, value).view()


def _checkpoint_here() -> str | None:
    try:
        return place_here().checkpoint
    except NotInGraph:  # called by itself, as in a test: nothing is shared with siblings
        return None
