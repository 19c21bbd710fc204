from __future__ import annotations

import operator
from dataclasses import dataclass, field, replace
from math import isnan
from threading import Lock
from typing import Annotated, Any, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from fanfold.engine.merge import MergeError as EngineMergeError
from fanfold.nodes import (
    AbstractBaseNode,
    End,
    MergeError,
    MergeStrategy,
    NextNode,
    NodeResult,
    ParallelExecutionError,
    ParallelExecutor,
    RunContext,
)
from fanfold.testing.clock import run


class State(BaseModel):
    items: list[str] = ["given"]
    notes: dict[str, int] = {}
    value: int = 0


@dataclass
class Data:
    items: list[str] = field(default_factory=lambda: ["given"])
    notes: dict[str, int] = field(default_factory=dict)
    value: int = 0


class Does(AbstractBaseNode[Any]):
    """A node that changes its context as a function does."""

    def __init__(self, name: str, change: Any) -> None:
        self.name, self.change = name, change

    async def run(self, ctx: RunContext[Any]) -> NextNode[Any]:
        self.change(ctx)
        ctx.add_provenance(self.name or "", None)
        return End()


class Mute(Exception):
    """As a client library's error that reads a response which it never got."""

    def __str__(self) -> str:
        raise AttributeError


def appends(name: str) -> Does:
    def change(ctx: RunContext[Any]) -> None:
        state = ctx.state
        (state["items"] if isinstance(state, dict) else state.items).append(name)
        (state["notes"] if isinstance(state, dict) else state.notes)[name] = 1
        ctx.metadata[name] = True

    return Does(name, change)


def sets(name: str, value: int) -> Does:
    return Does(name, lambda ctx: setattr(ctx.state, "value", value))


def fails(name: str = "bad") -> Does:
    def change(ctx: RunContext[Any]) -> None:
        ctx.state.value = 99
        raise ValueError("no")

    return Does(name, change)


def results(ctx: RunContext[Any], *nodes: Does) -> list[NodeResult[Any]]:
    return run(ParallelExecutor[Any]().execute_parallel(nodes, ctx))


def merged(found: list[NodeResult[Any]], strategy: Any = MergeStrategy.FIRST_SUCCESS, schema: Any = None) -> Any:
    return ParallelExecutor[Any](schema=schema).merge_states(found, strategy)


def names(ctx: RunContext[Any]) -> list[str]:
    return [entry["node"] for entry in ctx.provenance]


def test_first_success_takes_the_first_in_node_order_and_its_provenance_alone() -> None:
    found = results(RunContext(State(), provenance=[{"node": "start"}]), fails(), sets("b", 2), sets("c", 3))
    first = merged(found)
    assert first == found[1].context
    assert first.state.value == 2
    assert names(first) == ["start", "b"]


def test_first_success_without_any_is_an_error_that_names_all() -> None:
    found = results(RunContext(State()), fails("x"), fails("y"))
    with pytest.raises(MergeError, match="no node succeeded") as caught:
        merged(found)
    assert isinstance(caught.value, ParallelExecutionError)
    assert isinstance(caught.value, EngineMergeError)
    assert [node.name for node, _ in caught.value.failed_nodes] == ["x", "y"]  # type: ignore[attr-defined]
    assert caught.value.partial_results == found


@pytest.mark.parametrize(
    "state", [State(), Data(), {"items": ["given"], "notes": {}, "value": 0}], ids=["model", "dataclass", "dict"]
)
def test_all_success_puts_together_what_each_added(state: Any) -> None:
    ctx = RunContext(state, execution_id="e", user_id="u", metadata={"k": 1}, provenance=[{"node": "start"}])
    together = merged(results(ctx, appends("a"), appends("b"), appends("c")), MergeStrategy.ALL_SUCCESS)
    values = together.state if isinstance(together.state, dict) else vars(together.state)
    assert type(together.state) is type(state)
    assert values["items"] == ["given", "a", "b", "c"]
    assert type(values["items"]) is list
    assert values["notes"] == {"a": 1, "b": 1, "c": 1}
    assert together.metadata == {"k": 1, "a": True, "b": True, "c": True}
    assert names(together) == ["start", "a", "b", "c"]
    assert (together.execution_id, together.user_id) == ("e", "u")


def test_all_success_takes_a_value_that_one_alone_changed_or_all_alike() -> None:
    assert merged(results(RunContext(State()), sets("a", 5), appends("b")), MergeStrategy.ALL_SUCCESS).state.value == 5
    assert merged(results(RunContext(State()), sets("a", 5), sets("b", 5)), MergeStrategy.ALL_SUCCESS).state.value == 5


def test_all_success_refuses_values_that_disagree_and_names_field_and_nodes() -> None:
    found = results(RunContext(State()), sets("a", 5), sets("b", 6))
    with pytest.raises(MergeError, match=r"value.*'0:a' and '1:b'") as caught:
        merged(found, MergeStrategy.ALL_SUCCESS)
    assert (caught.value.field, caught.value.branches) == ("value", ("0:a", "1:b"))
    assert caught.value.failed_nodes == []


def test_all_success_refuses_a_failed_node() -> None:
    with pytest.raises(MergeError, match="needs all nodes") as caught:
        merged(results(RunContext(State()), sets("a", 5), fails()), MergeStrategy.ALL_SUCCESS)
    assert [str(error) for _, error in caught.value.failed_nodes] == ["no"]


def test_equal_entries_of_provenance_are_there_once_and_those_of_one_node_as_often_as_it_has_them() -> None:
    def twice(ctx: RunContext[Any]) -> None:
        ctx.add_provenance("same", None)

    node = Does("same", twice)
    together = merged(results(RunContext(State()), node, node), MergeStrategy.ALL_SUCCESS)
    assert names(together) == ["same", "same"]


def test_all_success_takes_declared_reducers() -> None:
    class Counted(BaseModel):
        value: Annotated[int, operator.add] = 10

    def count(ctx: RunContext[Counted]) -> None:
        ctx.state.value += 1

    found = results(RunContext(Counted()), Does("a", count), Does("b", count))
    assert merged(found, MergeStrategy.ALL_SUCCESS).state.value == 12

    class Typed(TypedDict):
        value: Annotated[int, operator.add]

    def count_in_dict(ctx: RunContext[dict[str, int]]) -> None:
        ctx.state["value"] += 1

    found = results(RunContext({"value": 10}), Does("a", count_in_dict), Does("b", count_in_dict))
    assert merged(found, MergeStrategy.ALL_SUCCESS, Typed).state == {"value": 12}


def test_majority_takes_the_most_frequent_state_and_a_tie_is_an_error() -> None:
    ctx = RunContext(State())
    found = results(ctx, sets("a", 1), sets("b", 2), sets("c", 2), fails())
    assert merged(found, MergeStrategy.MAJORITY) == found[1].context
    with pytest.raises(MergeError, match="no state is the most frequent") as caught:
        merged(found[:2], MergeStrategy.MAJORITY)
    assert caught.value.votes is not None
    assert [vote.keys for vote in caught.value.votes.cast] == [("0:a",), ("1:b",)]
    assert merged(results(ctx, sets("a", 1), fails("f")), MergeStrategy.MAJORITY).state.value == 1
    with pytest.raises(MergeError, match="no node succeeded"):
        merged(found[3:], MergeStrategy.MAJORITY)


def test_a_strategy_may_be_given_by_its_name() -> None:
    found = results(RunContext(State()), sets("a", 1), sets("b", 2), sets("c", 2))
    assert merged(found, "majority").state.value == 2
    with pytest.raises(ValueError, match="no strategy is called 'best': it is one of 'first_success'"):
        merged(found, "best")
    with pytest.raises(TypeError, match="a strategy is a MergeStrategy, its name, or a function, not 3"):
        merged(found, 3)


@pytest.mark.parametrize("strategy", MergeStrategy)
@pytest.mark.parametrize("count", [1, 2])
def test_changing_what_came_of_merging_changes_no_result(strategy: MergeStrategy, count: int) -> None:
    found = results(RunContext(State(), metadata={"k": [1]}), *[sets("a", 1)] * count)
    together = merged(found, strategy)
    together.state.items.append("later")
    together.state.notes["later"] = 1
    together.metadata["k"].append(2)
    together.provenance[0]["node"] = "later"
    for result in found:
        assert result.context.state == State(value=1)
        assert result.context.metadata == {"k": [1]}
        assert result.context.provenance[0]["node"] == "a"


def test_a_live_object_in_a_state_is_no_obstacle_to_taking_it() -> None:
    lock = Lock()
    found = results(RunContext({"items": []}), Does("a", lambda ctx: ctx.state.update(lock=lock)))
    taken = merged(found)
    assert taken.state == {"items": [], "lock": lock}
    assert taken.state["items"] is not found[0].context.state["items"]


def test_nans_agree_by_every_strategy() -> None:
    def change(ctx: RunContext[Any]) -> None:
        ctx.state.update(score=float("nan"), by_name={"a": float("nan")})

    found = results(RunContext({"score": 0.0}), Does("a", change), Does("b", change))
    for strategy in MergeStrategy:
        state = merged(found, strategy).state
        assert isnan(state["score"])
        assert isnan(state["by_name"]["a"])


def test_errors_that_cant_be_rendered_are_told_by_their_type() -> None:
    def fail(_: RunContext[Any]) -> None:
        raise Mute

    found = results(RunContext(State()), Does("a", fail))
    for strategy in MergeStrategy:
        with pytest.raises(MergeError, match=r"a: Mute: \(its message can't be rendered\)"):
            merged(found, strategy)
    assert ParallelExecutor[Any]().get_statistics(found)["errors"] == ["Mute: (its message can't be rendered)"]


def test_majority_says_where_states_cant_be_compared() -> None:
    class Opaque:
        """Nothing that could be compared."""

    found = results(RunContext({}), Does("a", lambda ctx: ctx.state.update(thing=Opaque())))
    with pytest.raises(MergeError, match=r"can't be compared.*thing"):
        merged(found, MergeStrategy.MAJORITY)


def test_a_function_merges_as_it_likes() -> None:
    found = results(RunContext(State()), sets("a", 1), sets("b", 2))

    def largest(given: Any) -> RunContext[Any]:
        return max((one.context for one in given), key=lambda ctx: ctx.state.value)

    assert merged(found, largest).state.value == 2
    with pytest.raises(MergeError, match="returned State"):
        merged(found, lambda given: given[0].context.state)


@pytest.mark.parametrize("strategy", [*MergeStrategy, lambda _: RunContext({})])
def test_nothing_cant_be_merged(strategy: Any) -> None:
    with pytest.raises(MergeError, match="no results"):
        merged([], strategy)


def made(state: Any) -> NodeResult[Any]:
    return NodeResult(Does("made", None), End(), RunContext(state, execution_id="e"), 1.0)


def test_results_that_dont_say_what_they_started_from_are_merged_by_what_they_have_in_common() -> None:
    found = [
        made(State(items=["given", "a"], notes={"k": 1, "a": 1}, value=3)),
        made(State(items=["given", "b"], notes={"k": 1, "b": 2}, value=3)),
    ]
    together = merged(found, MergeStrategy.ALL_SUCCESS)
    assert together.state == State(items=["given", "a", "b"], notes={"k": 1, "a": 1, "b": 2}, value=3)
    with pytest.raises(MergeError, match=r"'value'\]: the nodes have different values"):
        merged([made(State(value=1)), made(State(value=2))], MergeStrategy.ALL_SUCCESS)


def test_results_of_different_contexts_arent_merged() -> None:
    found = [*results(RunContext(State(value=1)), appends("a")), *results(RunContext(State(value=2)), appends("b"))]
    with pytest.raises(MergeError, match="different contexts"):
        merged(found, MergeStrategy.ALL_SUCCESS)


def test_merging_leaves_the_results_as_they_were() -> None:
    found = results(RunContext(State()), appends("a"), appends("b"))
    before = [
        replace(one, context=replace(one.context, state=one.context.state.model_copy(deep=True))) for one in found
    ]
    merged(found, MergeStrategy.ALL_SUCCESS)
    assert [one.context.state for one in found] == [one.context.state for one in before]


@given(st.lists(st.text("ab", min_size=1), max_size=5), st.lists(st.lists(st.text("xy", min_size=1)), min_size=1))
def test_lists_grow_by_each_nodes_tail_in_node_order(base: list[str], tails: list[list[str]]) -> None:
    nodes = [
        Does(f"n{number}", lambda ctx, tail=tail: ctx.state["items"].extend(tail)) for number, tail in enumerate(tails)
    ]
    together = merged(results(RunContext({"items": base}), *nodes), MergeStrategy.ALL_SUCCESS)
    assert together.state["items"] == base + [entry for tail in tails for entry in tail]
