from __future__ import annotations

import copy
import operator
from dataclasses import dataclass, field
from typing import Annotated, Any, TypedDict

import pydantic
import pytest

from fanfold.engine.fan_out import fan_out
from fanfold.engine.fold import FoldError, fold
from fanfold.engine.outcome import Done, Failed, Outcome
from fanfold.engine.reducers import keep_last, total, union
from fanfold.engine.retry import retry
from fanfold.engine.updates import UpdateError, updates_only
from fanfold.testing.clock import virtual_time


class State(TypedDict):
    notes: Annotated[list[str], operator.add]
    seen: Annotated[set[int], union]
    answer: str


@dataclass
class Data:
    notes: Annotated[list[str], operator.add] = field(default_factory=list)
    answer: str = ""


class Model(pydantic.BaseModel):
    notes: Annotated[list[str], operator.add] = []
    answer: str = ""


def state() -> State:
    return {"notes": ["x"], "seen": {1}, "answer": "?"}


async def whole(item: str, state: Any) -> Any:
    state["notes"].append(item)
    return state


async def spread(item: str, state: Any) -> Any:
    return {**state, "answer": item}


async def grown(item: str, state: Any) -> Any:
    state.notes.append(item)
    return state


async def field_of(_item: str, state: Any) -> Any:
    return {"notes": state.notes}


def error(outcome: Outcome[Any]) -> Exception:
    assert isinstance(outcome, Failed)
    return outcome.error


@pytest.mark.parametrize(
    ("branch", "given", "said"),
    [
        (whole, state(), "the branch returned the whole state"),
        (spread, state(), "the branch returned the state's own 'notes'"),
        (grown, Data(["x"]), "the branch returned the whole state"),
        (field_of, Data(["x"]), "the branch returned the state's own 'notes'"),
        (grown, Model(notes=["x"]), "the branch returned the whole state"),
        (field_of, Model(notes=["x"]), "the branch returned the state's own 'notes'"),
    ],
)
@virtual_time
async def test_a_branch_that_returns_its_state_fails(branch: Any, given: Any, said: str) -> None:
    schema = State if isinstance(given, dict) else None

    (outcome,) = await fan_out(updates_only(branch, schema=schema), ["a"], state=given, schema=schema, limit=1)

    assert isinstance(error(outcome), UpdateError)
    assert str(error(outcome)) == said


@virtual_time
async def test_an_update_goes_through_even_if_it_equals_what_is_there() -> None:
    async def branch(_item: str, state: State) -> Any:
        return {"notes": list(state["notes"]), "seen": state["seen"], "answer": state["answer"]}

    async def nothing(_item: str, _state: State) -> None:
        return None

    given: Any = state()
    outcomes = await fan_out(updates_only(branch, schema=State), ["a"], state=given, limit=1)

    assert fold(given, outcomes, schema=State) == {"notes": ["x", "x"], "seen": {1}, "answer": "?"}
    assert isinstance((await fan_out(updates_only(nothing), ["a"], state=given, limit=1))[0], Done)


@virtual_time
async def test_a_branch_is_called_as_before_and_its_own_errors_are_its_own() -> None:
    async def branch(item: str, state: State) -> Any:
        raise LookupError(item, state["answer"])

    checked = updates_only(branch)

    assert checked.__name__ == "branch"
    (outcome,) = await fan_out(checked, ["a"], state=state(), limit=1)
    assert repr(error(outcome)) == "LookupError('a', '?')"


@virtual_time
async def test_without_it_a_model_is_still_refused_by_the_fold() -> None:
    outcomes = await fan_out(grown, ["a"], state=Model(notes=["x"]), limit=1)

    with pytest.raises(FoldError, match="'a' returned the whole state"):
        fold(Model(notes=["x"]), outcomes)


class Counts(TypedDict):
    n: Annotated[int, total]
    done: Annotated[list[str], operator.add]
    best: Annotated[int, keep_last]


COPIES = {
    "spread": lambda state, **changed: {**state, **changed},
    "or": lambda state, **changed: state | changed,
    "dict": dict,
    "copy": lambda state, **changed: {**copy.copy(state), **changed},
    "deepcopy": lambda state, **changed: {**copy.deepcopy(state), **changed},
    "some": lambda state, **changed: {name: state[name] for name in state if name != "best"} | changed,
}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("changed", [{}, {"done": ["a"]}])
@pytest.mark.parametrize("outer", [lambda branch: branch, retry(2, wait_initial_s=0)], ids=["plain", "retried"])
@virtual_time
async def test_a_counter_that_comes_back_in_a_copy_of_the_state_fails(copied: Any, changed: Any, outer: Any) -> None:
    async def branch(_item: str, state: Any) -> Any:
        return copied(state, **changed)

    given: Counts = {"n": 3, "done": [], "best": 1}
    outcomes = await fan_out(updates_only(outer(branch), schema=Counts), "ab", state=given, schema=Counts, limit=2)

    assert [str(error(outcome)) for outcome in outcomes] == [
        "the branch returned a copy of the state with 'n' as it was"
    ] * 2


@pytest.mark.parametrize("start", [{"n": 3, "done": [], "best": 1}, {"n": 1_000_000, "done": ["x"], "best": 1}])
@virtual_time
async def test_an_update_that_writes_every_field_goes_through_even_if_a_counter_equals_the_states(start: Any) -> None:
    async def new(_item: str, state: Counts) -> Any:
        return {"n": start["n"], "done": list(state["done"]), "best": state["best"]}

    async def replaced(_item: str, state: Counts) -> Any:
        return {**state, "n": 1, "done": ["a"]}

    for branch, n in ((new, 2 * start["n"]), (replaced, start["n"] + 1)):
        checked = updates_only(branch, schema=Counts)
        outcomes = await fan_out(checked, "a", state=start, schema=Counts, limit=1)
        assert fold(start, outcomes, schema=Counts)["n"] == n


@virtual_time
async def test_a_retry_around_it_does_not_call_again_what_returns_its_state() -> None:
    calls: list[str] = []

    async def branch(item: str, state: Any) -> Any:
        calls.append(item)
        return state

    (outcome,) = await fan_out(retry(3)(updates_only(branch)), "a", state=state(), limit=1)

    assert isinstance(error(outcome), UpdateError)
    assert calls == ["a"]


@virtual_time
async def test_nothing_to_add_twice_is_nothing_to_refuse() -> None:
    async def spread(_item: str, state: Any) -> Any:
        return {**state}

    given: Any = {"n": 0, "done": [], "best": 7}
    (outcome,) = await fan_out(updates_only(spread, schema=Counts), "a", state=given, schema=Counts, limit=1)

    assert isinstance(outcome, Done)


@virtual_time
async def test_the_state_looks_the_same_to_a_branch_and_to_the_caller() -> None:
    seen: list[Any] = []

    async def branch(_item: str, state: Any) -> Any:
        seen.append((list(state.items()), [type(name) for name in state], repr(state), dict(state) == state))

    given: Any = {"n": 3, "done": [{"deep": [1]}], "best": 1, 5: "no str"}
    await fan_out(branch, "a", state=given, limit=1)
    await fan_out(updates_only(branch, schema=Counts), "a", state=given, schema=Counts, limit=1)
    await updates_only(branch, schema=Counts)("a", given)

    assert seen[0] == seen[1] == seen[2]
    assert given == {"n": 3, "done": [{"deep": [1]}], "best": 1, 5: "no str"}
