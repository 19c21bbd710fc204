"""The engine's reducers in plain LangGraph graphs."""

from __future__ import annotations

from datetime import datetime, timedelta
from fractions import Fraction
from typing import Annotated, Any, Optional

import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import Send
from typing_extensions import TypedDict

from fanfold.engine import (
    Done,
    Reducer,
    append_unique,
    append_unique_by,
    concat,
    fold,
    keep_last,
    largest,
    merge_dicts,
    smallest,
    top_k,
    total,
    union,
)

typed_dict: Any = TypedDict  # mypy knows no fields that are chosen here

BEST = top_k(2)
BY_LENGTH = append_unique_by(len)


def state_of(annotation: Any) -> Any:
    return typed_dict("state", {"updates": list[Any], "value": annotation}, total=False)


async def from_langgraph(annotation: Any, updates: list[Any]) -> Any:
    """What a graph's state holds when a branch for each update has added it."""
    sent = typed_dict("sent", {"update": Any, "value": annotation}, total=False)

    def branch(given: dict[str, Any]) -> dict[str, Any]:
        return {"value": given["update"]}

    builder: Any = StateGraph(state_of(annotation))
    builder.add_node("begin", lambda _: {})
    builder.add_node("branch", branch, input_schema=sent)  # LangGraph compares reducers that two schemas have
    builder.add_edge(START, "begin")
    builder.add_conditional_edges(
        "begin", lambda state: [Send("branch", {"update": update}) for update in state["updates"]], ["branch"]
    )
    return (await builder.compile().ainvoke({"updates": updates}))["value"]


def from_fold(annotation: Any, updates: list[Any]) -> Any:
    nothing: dict[str, Any] = {}
    outcomes = [Done(str(index), {"value": update}, 0.0, 0.0, 1, index) for index, update in enumerate(updates)]
    return fold(nothing, outcomes, schema=state_of(annotation))["value"]


@pytest.mark.parametrize(
    ("annotation", "updates", "value"),
    [
        (Annotated[list[int], concat], [[1], [2, 3]], [1, 2, 3]),
        (Annotated[tuple[int, ...], concat], [(1,), (2,)], (1, 2)),
        (Annotated[str, concat], ["a", "b"], "ab"),
        (Annotated[int, total], [1, 2, 3], 6),
        (Annotated[Fraction, total], [Fraction(1, 3), Fraction(2, 3)], Fraction(1)),
        (Annotated[timedelta, total], [timedelta(1), timedelta(2)], timedelta(3)),
        (Annotated[set[int], union], [{1}, {2}, {1}], {1, 2}),
        (Annotated[dict[str, int], merge_dicts], [{"a": 1, "b": 1}, {"a": 2}], {"a": 2, "b": 1}),
        (Annotated[str, keep_last], ["a", "b"], "b"),
        (Annotated[list[int], BEST], [[1], [3], [2]], [3, 2]),
        (Annotated[list[int], append_unique], [[1, 2], [2, 3]], [1, 2, 3]),
        (Annotated[list[str], BY_LENGTH], [["a"], ["b", "cc"]], ["a", "cc"]),
        (Annotated[datetime, largest], [datetime(2024, 1, 1), datetime(2023, 1, 1)], datetime(2024, 1, 1)),  # noqa: DTZ001
        (Annotated[int | None, largest], [-3, -1, None], -1),
        (Annotated[Optional[int], smallest], [4, 3, 5], 3),  # noqa: UP045 another class than `int | None`
        (Annotated[int | None, smallest], [4, 3, 5], 3),
    ],
    ids=str,
)
async def test_reducers_do_in_langgraph_what_they_do_in_a_fold(annotation: Any, updates: list[Any], value: Any) -> None:
    assert await from_langgraph(annotation, updates) == from_fold(annotation, updates) == value


@pytest.mark.parametrize(("reducer", "updates"), [(smallest, [4, 3]), (largest, [-4, -3])])
async def test_langgraph_begins_with_nought_which_a_fold_does_not(reducer: Reducer[Any], updates: list[int]) -> None:
    """Why the docs say `int | None`, of which LangGraph can make no value to begin with."""
    assert await from_langgraph(Annotated[int, reducer], updates) == 0
    assert await from_langgraph(Annotated[int | None, reducer], updates) == from_fold(Annotated[int, reducer], updates)


async def test_two_reducers_that_were_made_apart_are_two_to_langgraph() -> None:
    one = typed_dict("one", {"value": Annotated[list[int], top_k(2)]})
    two = typed_dict("two", {"value": Annotated[list[int], top_k(2)]})
    builder: Any = StateGraph(one)
    with pytest.raises(ValueError, match="different type"):
        builder.add_node("node", lambda _: {}, input_schema=two)


async def test_a_value_of_another_kind_fails_the_graph_instead_of_being_taken_apart() -> None:
    with pytest.raises(TypeError, match="concat can't add a str"):
        await from_langgraph(Annotated[list[str], concat], ["abc"])
