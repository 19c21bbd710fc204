"""States of all kinds come out of LangGraph as they come out of the native runtime, whatever way they went."""

# ruff: noqa: ARG001 what a flow calls takes an item and a state
from __future__ import annotations

import collections
import operator
import pickle
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, Optional, Required
from uuid import uuid4

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Overwrite
from pydantic import BaseModel, PrivateAttr, field_validator
from typing_extensions import ReadOnly, TypedDict

from fanfold.engine import Reducer, concat, keep_last, largest, union
from fanfold.runtimes import Flow, LangGraph, Native
from fanfold.runtimes.langgraph.typed import restorer


def sums(held: int, added: int) -> int:
    return held + added


def in_place(held: list[int], added: list[int]) -> list[int]:
    held.extend(added)
    return held


HUNDRED = Reducer(sums, start=lambda: 100, name="hundred")


class Typed(TypedDict, total=False):
    items: Required[list[int]]
    fixed: ReadOnly[str]
    last: NotRequired[Annotated[int, keep_last]]
    top: Annotated[int, largest]
    log: Annotated[list[int], in_place]
    added: Annotated[Sequence[int], operator.add]
    names: Annotated[set[str], union]
    total: Annotated[int, HUNDRED]
    text: Annotated[str, operator.add]


@dataclass
class Data:
    items: list[int]
    log: Annotated[list[int], concat] = field(default_factory=lambda: [7])
    total: Annotated[int, sums] = 5
    uid: str = field(default_factory=lambda: uuid4().hex)
    pair: tuple[int, str] = (1, "one")
    late: int = field(default=0, init=False)


class Model(BaseModel):
    items: list[int]
    log: Annotated[list[int], concat] = [7]
    total: Annotated[int, operator.add] = 5
    shown: str = ""
    counts: Annotated[collections.Counter[str], operator.add] = collections.Counter()
    _private: int = PrivateAttr(default=3)

    @field_validator("shown", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> str:
        return str(value)


async def begins(state: Any) -> dict[str, Any]:
    return {"items": [3, 1, 2]}


async def typed(item: int, state: Typed) -> dict[str, Any]:
    return {"last": item, "top": item, "log": [item], "added": [item], "names": {f"{item}"}, "total": item, "text": "x"}


async def data(item: int, state: Data) -> dict[str, Any]:
    return {"log": [item, *state.pair[:1]], "total": item}


async def model(item: int, state: Model) -> dict[str, Any]:
    return {"log": [item], "total": item, "counts": collections.Counter({"n": state._private})}


async def ends_model(state: Model) -> dict[str, Any]:
    return {"shown": state.total}


FLOWS: dict[str, tuple[Flow[Any], list[Any]]] = {
    "typed": (
        Flow(name="typed", state=Typed, items=lambda state: state["items"], branch=typed, prepare=(begins,)),
        [{}, {"items": [], "log": [9], "total": 1, "fixed": "this"}],
    ),
    "data": (
        Flow(name="data", state=Data, items=lambda state: state.items, branch=data, prepare=(begins,)),
        [{"items": [], "uid": "u"}, Data([4], [], 0, "v", (2, "two"))],
    ),
    "model": (
        Flow(
            name="model",
            state=Model,
            items=lambda state: state.items,
            branch=model,
            prepare=(begins,),
            finish=(ends_model,),
        ),
        [{"items": []}, Model(items=[1], total=1)],
    ),
}
CASES = [(name, number) for name, (_, states) in FLOWS.items() for number in range(len(states))]


@pytest.mark.parametrize(("name", "number"), CASES)
async def test_the_final_state_is_that_of_the_native_runtime(name: str, number: int) -> None:
    flow, states = FLOWS[name]
    native = await flow.run(states[number], runtime=Native())
    ours = await flow.run(states[number], runtime=LangGraph())
    assert type(ours.state) is type(native.state)
    assert pickle.dumps(ours.state) == pickle.dumps(native.state)


@pytest.mark.parametrize(("name", "number"), [case for case in CASES if case != ("data", 1)])
async def test_a_graph_has_the_same_fields(name: str, number: int) -> None:
    flow, states = FLOWS[name]
    native = await flow.run(states[number], runtime=Native())
    given = states[number] if isinstance(states[number], dict) else dict(states[number])
    for checkpointer in (None, InMemorySaver()):
        config: Any = {"configurable": {"thread_id": "1"}}
        final = await flow.to_langgraph(checkpointer=checkpointer).ainvoke(given, config)
        assert final == (native.state if isinstance(native.state, dict) else vars(native.state))


async def test_a_private_attribute_goes_along() -> None:
    state = Model(items=[])
    state._private = 4
    result = await FLOWS["model"][0].run(state, runtime=LangGraph())
    assert result.state._private == 4
    assert result.state.counts == {"n": 12}


async def test_a_default_that_differs_each_time_is_made_once() -> None:
    seen: list[str] = []

    async def sees(item: int, state: Data) -> None:
        seen.append(state.uid)

    async def sees_too(state: Data) -> None:
        seen.append(state.uid)

    flow = Flow(name="f", state=Data, items=lambda state: state.items, branch=sees, finish=(sees_too,))
    final = await flow.to_langgraph().ainvoke({"items": [1, 2]})
    assert seen == [final["uid"]] * 3


async def test_the_callers_state_stays_as_it_is() -> None:
    given: dict[str, Any] = {"items": [], "log": [9], "names": {"a"}}
    await FLOWS["typed"][0].to_langgraph().ainvoke(given)
    assert given == {"items": [], "log": [9], "names": {"a"}}


async def test_a_first_value_is_what_a_field_holds_and_what_comes_later_is_reduced() -> None:
    graph = FLOWS["typed"][0].to_langgraph(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    assert (await graph.ainvoke({"total": 1}, config))["total"] == 7
    assert (await graph.ainvoke({"total": 1}, config))["total"] == 14
    assert (await graph.ainvoke({"total": Overwrite(0)}, config))["total"] == 6
    assert (await graph.ainvoke({"total": Overwrite(0)}, {"configurable": {"thread_id": "2"}}))["total"] == 6
    assert (await graph.ainvoke({}, {"configurable": {"thread_id": "3"}}))["total"] == 106


class Pair(NamedTuple):
    one: int
    two: str


@pytest.mark.parametrize(
    ("kind", "saved", "value"),
    [
        (tuple[int, str], [1, "a"], (1, "a")),
        (tuple[int, ...], [1, 2], (1, 2)),
        (tuple, [1, 2], (1, 2)),
        (list[tuple[int, tuple[str, ...]]], [[1, ["a"]]], [(1, ("a",))]),
        (dict[str, tuple[int, int]], {"a": [1, 2]}, {"a": (1, 2)}),
        (Optional[tuple[int, int]], [1, 2], (1, 2)),  # noqa: UP045 as people write it
        (tuple[int, int] | None, None, None),
        (Annotated[tuple[int, int], "pair"], [1, 2], (1, 2)),
        (Pair, [1, "a"], Pair(1, "a")),
        (list[int] | tuple[int, int], [1, 2], [1, 2]),
        (list[list[int]], [[1]], [[1]]),
        (Literal["a"], "a", "a"),
        (Any, [1], [1]),
        (tuple[int, int], (1, 2), (1, 2)),
        (tuple[int, int], [1, 2, 3], (1, 2, 3)),
    ],
)
def test_what_a_saver_made_lists_of_are_tuples_again(kind: Any, saved: Any, value: Any) -> None:
    restored = restorer(kind)(saved)
    assert restored == value
    assert type(restored) is type(value)


async def test_branches_over_a_large_state_save_little(tmp_path: Path) -> None:
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    class Large(TypedDict, total=False):
        records: dict[str, str]
        seen: Annotated[list[int], operator.add]

    async def looks(item: int, state: Large) -> dict[str, Any]:
        return {"seen": [len(state["records"])]}

    flow = Flow(name="large", state=Large, items=lambda _: range(1000), branch=looks)
    given = {"records": {f"record {number}": "x" * 1000 for number in range(1000)}}
    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "saver.db")) as saver:
        final = await flow.to_langgraph(checkpointer=saver).ainvoke(given, {"configurable": {"thread_id": "1"}})
    assert final["seen"] == [1000] * 1000
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 20e6
