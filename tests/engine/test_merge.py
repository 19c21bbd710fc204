from __future__ import annotations

import asyncio
import inspect
import operator
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import ReadOnly, TypedDict

from fanfold.engine.content import content_hash
from fanfold.engine.fan_out import stream
from fanfold.engine.isolate import freeze
from fanfold.engine.limit import Limit
from fanfold.engine.merge import (
    MergeError,
    MergeStrategy,
    Votes,
    all_success,
    count_votes,
    first_success,
    majority,
    majority_of_runs,
    merge,
    merge_states,
    merge_tails,
)
from fanfold.engine.outcome import BranchNotStarted, DeadlineExceeded, Done, Failed, Outcome
from fanfold.engine.reducers import Reducer, concat, keep_last, largest, merge_dicts, top_k, total, union
from fanfold.testing.clock import run, virtual_time

FIRST, ALL, MAJORITY = MergeStrategy.FIRST_SUCCESS, MergeStrategy.ALL_SUCCESS, MergeStrategy.MAJORITY


class Config(pydantic.BaseModel):
    name: str = ""
    tags: list[str] = []


class Model(pydantic.BaseModel):
    """As H4 has states: no reducers."""

    value: int = 0
    items: list[Any] = []
    pair: tuple[int, ...] = ()
    found: dict[str, Any] = {}
    seen: set[int] = set()
    config: Config = Config()
    maybe: str | None = None


class Few(pydantic.BaseModel):
    items: list[int] = pydantic.Field(max_length=2)


@dataclass
class Data:
    items: list[int] = field(default_factory=list)
    name: str = ""


def done(index: int, value: Any) -> Done[Any]:
    return Done(f"k{index}", value, 0.0, 0.0, 1, index)


def failed(index: int, error: Exception | None = None) -> Failed:
    return Failed(f"k{index}", error or ValueError("no"), 0.0, 0.0, 1, index)


def outcomes(*values: Any) -> list[Outcome[Any]]:
    return [failed(index, value) if isinstance(value, Exception) else done(index, value)
            for index, value in enumerate(values)]  # fmt: skip


def error_of(strategy: Any, *values: Any, **options: Any) -> MergeError:
    given_outcomes = outcomes(*values)
    with pytest.raises(MergeError) as caught:
        merge(reversed(given_outcomes), strategy, **options)
    assert caught.value.outcomes == tuple(given_outcomes)
    return caught.value


class Waiting:
    """A branch that says what it is told to after a while; counts who ran, and who was cancelled."""

    def __init__(self, says: dict[str, Any], takes_s: dict[str, float] | None = None) -> None:
        self.says = says
        self.takes_s = takes_s or {key: float(number) for number, key in enumerate(says, 1)}
        self.ended: list[str] = []
        self.cancelled: list[str] = []

    async def __call__(self, key: str) -> Any:
        try:
            await asyncio.sleep(self.takes_s[key])
        except asyncio.CancelledError:
            self.cancelled.append(key)
            raise
        self.ended.append(key)
        if isinstance(self.says[key], Exception):
            raise self.says[key]
        return self.says[key]


def now() -> float:
    return asyncio.get_running_loop().time()


class TestFirstSuccess:
    def test_over_outcomes_it_is_the_first_in_item_order(self) -> None:
        given_outcomes = outcomes(ValueError("no"), "b", "c")

        merged = merge(reversed(given_outcomes), FIRST)

        assert (merged.value, merged.keys) == ("b", ("k1",))
        assert merged.outcomes == tuple(given_outcomes)

    def test_without_a_success_every_failure_is_told(self) -> None:
        first = ValueError("one")
        error = error_of(FIRST, first, KeyError("two"))

        assert str(error) == "no branch succeeded: k0: ValueError: one; k1: KeyError: 'two'"
        assert error.branches == ("k0", "k1")
        assert error.__cause__ is first

    def test_of_many_failures_a_few_are_told(self) -> None:
        assert str(error_of(FIRST, *[ValueError("x")] * 7)).endswith("k4: ValueError: x; and 2 more")

    def test_without_outcomes_there_is_nothing_to_choose_from(self) -> None:
        assert "there are no outcomes" in str(error_of(FIRST))

    @virtual_time
    async def test_running_branches_are_cancelled_at_the_first_success(self) -> None:
        branch = Waiting({"a": "slow", "b": ValueError("no"), "c": "fast", "d": "d"}, {"a": 9, "b": 1, "c": 2, "d": 9})

        merged = await first_success(branch, "abcd", limit=3)

        assert (merged.value, merged.keys, now()) == ("fast", ("c",), 2.0)
        assert [outcome.key for outcome in merged.outcomes] == ["b", "c"]
        assert isinstance(merged.outcomes[0], Failed)
        assert sorted(branch.cancelled) == ["a", "d"]
        assert len(asyncio.all_tasks()) == 1

    @virtual_time
    async def test_without_a_success_all_have_run(self) -> None:
        branch = Waiting({"a": ValueError("x"), "b": ValueError("y")})

        with pytest.raises(MergeError, match="a: ValueError: x; b: ValueError: y") as caught:
            await first_success(branch, "ab", limit=1)
        assert len(caught.value.outcomes) == 2

    @virtual_time
    async def test_it_takes_the_options_of_a_stream(self) -> None:
        async def branch(item: int, state: dict[str, int]) -> int:
            await asyncio.sleep(item)
            return state["add"] + item

        limit = Limit(1)
        merged = await first_success(branch, [5, 1, 3], limit=limit, state={"add": 10}, priority=float, deadline_s=4)

        assert (merged.value, merged.keys, now()) == (13, ("2",), 7.0)
        first = merged.outcomes[0]
        assert isinstance(first, Failed)
        assert isinstance(first.error, DeadlineExceeded)
        assert limit.running == 0


class TestAllSuccess:
    def test_lists_grow_by_each_branchs_tail_in_item_order(self) -> None:
        base = Model(items=["x"], pair=(0,))

        states = [Model(items=["x", "a"], pair=(0, 1)), Model(items=["x", "b", "c"], pair=(0,)), base]

        merged = merge(reversed(outcomes(*states)), ALL, state=base)

        assert merged.value.items == ["x", "a", "b", "c"]
        assert merged.keys == ("k0", "k1", "k2")
        assert base.items == ["x"]

    def test_equal_tails_are_each_branchs_own(self) -> None:
        states = [Model(items=["x", "a"]), Model(items=["x", "a"])]

        assert merge(outcomes(*states), ALL, state=Model(items=["x"])).value.items == ["x", "a", "a"]

    def test_dicts_sets_and_parts_are_merged_part_by_part(self) -> None:
        base = Model(found={"a": {"n": 1, "gone": 1}, "list": [0]}, seen={1, 2}, config=Config(tags=["x"]))
        first = Model(
            found={"a": {"n": 2}, "list": [0, 1], "new": {"p": 1, "l": [1]}},
            seen={1, 3},
            config=Config(tags=["x", "a"]),
        )
        second = Model(
            found={"a": {"n": 1, "gone": 1, "m": 3}, "list": [0, 2], "new": {"q": 2, "l": [2]}},
            seen={1, 2, 4},
            config=Config(name="n", tags=["x", "b"]),
        )

        merged = merge(outcomes(first, second), ALL, state=base).value

        assert merged.found == {"a": {"n": 2, "m": 3}, "list": [0, 1, 2], "new": {"p": 1, "l": [1, 2], "q": 2}}
        assert merged.seen == {1, 3, 4}
        assert merged.config == Config(name="n", tags=["x", "a", "b"])

    def test_what_one_branch_alone_changed_is_taken_from_it(self) -> None:
        base = Model(items=[3, 1, 2], value=1, maybe="x", found={"a": 1})

        merged = merge(outcomes(Model(items=[1, 2, 3], value=1), Model(items=[3, 1, 2], value=5, found={"a": 1},
                                maybe="x")), ALL, state=base).value  # fmt: skip

        assert merged == Model(items=[1, 2, 3], value=5, maybe=None, found={})

    def test_values_that_branches_agree_on_are_taken(self) -> None:
        merged = merge(outcomes(Model(value=1, items=[9]), Model(value=1, items=[9])), ALL, state=Model(items=[1, 2]))

        assert (merged.value.value, merged.value.items) == (1, [9])

    @pytest.mark.parametrize(
        ("first", "second", "field_name", "said"),
        [
            ({"value": 1}, {"value": 2}, "value", "value: the branches 'k0' and 'k2' changed it to different values"),
            ({"value": 1}, {"value": True}, "value", "different values"),
            ({"items": ["y"]}, {"items": ["x", "b"]}, "items", "items: the branch 'k0' changed what was there before"),
            ({"found": {"a": {"b": 1}}}, {"found": {"a": {"b": 2}}}, "found", "found['a']['b']: the branches 'k0'"),
            ({"found": {}}, {"found": {"a": 2}}, "found", "found['a']: the branches 'k0' and 'k2' changed it"),
            ({"found": {"a": 1, "n": [1]}}, {"found": {"a": 1, "n": {}}}, "found", "found['n']: "),
            ({"config": Config(name="a")}, {"config": Config(name="b")}, "config", "config.name: the branches"),
            ({"maybe": "a"}, {"maybe": "b"}, "maybe", "maybe: "),
        ],
    )
    def test_a_disagreement_names_the_place_and_both_branches(
        self, first: dict[str, Any], second: dict[str, Any], field_name: str, said: str
    ) -> None:
        shared: dict[str, Any] = {"items": ["x"], "found": {"a": {"b": 0}} if "b" in said else {"a": 1}}
        versions = [Model.model_construct(**{**Model(**shared).__dict__, **change}) for change in (first, {}, second)]

        error = error_of(ALL, *versions, state=Model(**shared))

        assert said in str(error)
        assert (error.field, error.branches) == (field_name, ("k0", "k2"))
        assert error.hint is not None

    def test_a_failure_fails_all(self) -> None:
        error = error_of(ALL, Model(), ValueError("x"), Model(), state=Model())

        assert str(error) == "not all branches succeeded: k1: ValueError: x"
        assert error.branches == ("k1",)

    def test_of_no_branches_the_base_is_the_result(self) -> None:
        assert merge([], ALL, state=Model(value=3)).value == Model(value=3)

    def test_it_needs_the_state(self) -> None:
        with pytest.raises(TypeError, match="needs state="):
            merge([], ALL)

    @pytest.mark.parametrize("base", [{"items": [1], "name": ""}, Data([1])])
    def test_dicts_and_dataclasses_are_states_too(self, base: Any) -> None:
        def changed(**values: Any) -> Any:
            return {**base, **values} if isinstance(base, dict) else Data(**{**vars(base), **values})

        merged = merge(outcomes(changed(items=[1, 2]), changed(items=[1, 3], name="n")), ALL, state=base)

        assert merged.value == changed(items=[1, 2, 3], name="n")

    def test_an_update_is_no_state(self) -> None:
        error = error_of(ALL, {"items": [1]}, {"items": [1], "name": "n"}, state={"items": [], "name": ""})

        assert str(error) == "the state of the branch 'k0' lacks 'name'"
        assert "fold" in str(error.hint)
        assert str(error_of(ALL, 5, state=Model())) == "the branch 'k0' returned a int, and no Model"
        assert str(error_of(ALL, {}, state=Model())) == "the branch 'k0' returned a dict, and no Model"
        assert str(error_of(ALL, Model(), state={})) == "the branch 'k0' returned a Model, and no dict"

    def test_a_merged_state_that_its_type_refuses_names_the_field_and_who_wrote_it(self) -> None:
        error = error_of(ALL, Few(items=[1, 2]), Few(items=[1]), Few(items=[1, 3]), state=Few(items=[1]))

        assert str(error).startswith("the merged state is no Few: items: List should have at most 2 items")
        assert (error.field, error.branches) == ("items", ("k0", "k2"))

    @virtual_time
    async def test_running_branches_return_the_state_as_they_leave_it(self) -> None:
        async def branch(item: int, state: Model) -> Model:
            await asyncio.sleep(3 - item)
            state.items.append(item)
            return state

        base = Model(items=["x"])
        merged = await all_success(branch, range(3), state=base, limit=2)

        assert merged.value.items == ["x", 0, 1, 2]
        assert base.items == ["x"]

    @virtual_time
    async def test_the_first_failure_cancels_the_rest(self) -> None:
        async def branch(item: int, state: Model) -> Model:
            await asyncio.sleep(item)
            if item == 2:
                raise ValueError("x")
            return state

        with pytest.raises(MergeError, match="1: ValueError: x") as caught:
            await all_success(branch, [1, 2, 9], state=Model(), limit=None)
        assert now() == 2.0
        assert [outcome.key for outcome in caught.value.outcomes] == ["0", "1"]


def untold(held: int, added: int) -> int:
    return held * added


def gather(held: list[Any], added: list[Any]) -> list[Any]:
    held.extend(added)
    return held


class State(TypedDict, total=False):
    notes: Annotated[list[str], concat]
    added: Annotated[list[str], operator.add]
    count: Annotated[int, total]
    best: Annotated[int, largest]
    top: Annotated[list[int], top_k(3)]
    seen: Annotated[set[int], union]
    config: Annotated[dict[str, int], merge_dicts]
    last: Annotated[str, keep_last]
    untold: Annotated[int, untold]
    gathered: Annotated[list[Any], Reducer(gather, since=lambda base, value: value[len(base) :])]
    fixed: ReadOnly[str]


class TestStatesWithReducers:
    def merged(self, base: Any, *states: Any) -> Any:
        return merge(outcomes(*states), ALL, state=base, schema=State).value

    def test_each_field_takes_what_each_branch_added_and_nothing_doubles(self) -> None:
        base = {"notes": ["x"], "added": ["x"], "count": 1, "best": 2, "top": [2, 1], "seen": {1}, "config": {"a": 1}}
        first = {"notes": ["x", "a"], "added": ["x", "a"], "count": 3, "best": 2, "top": [5, 2, 1], "seen": {1, 2},
                 "config": {"a": 2}, "last": "a"}  # fmt: skip
        second = {"notes": ["x", "b"], "added": ["x", "b"], "count": 4, "best": 7, "top": [4, 2, 1], "seen": {1, 3},
                  "config": {"a": 1, "b": 1}, "last": "b"}  # fmt: skip
        before = deepcopy((base, first, second))
        first_with, base_with = {**first}, {**base, "last": ""}

        assert self.merged(base_with, first_with, second) == {
            "notes": ["x", "a", "b"],
            "added": ["x", "a", "b"],
            "count": 6,
            "best": 7,
            "top": [5, 4, 2],
            "seen": {1, 2, 3},
            "config": {"a": 2, "b": 1},
            "last": "b",
        }
        assert (base, first, second) == before

    def test_views_are_the_states_that_they_stand_for(self) -> None:
        base: dict[str, Any] = {"notes": ["x"], "top": [1], "config": {"a": 1}}
        frozen = freeze(base)
        first, second, view = frozen.view(), frozen.view(), frozen.view()
        first["notes"].append("a")
        first["config"]["b"] = 2
        second["notes"].append("b")

        assert self.merged(view, first, second) == {"notes": ["x", "a", "b"], "top": [1], "config": {"a": 1, "b": 2}}
        assert merge_states(view, [("a", first), ("b", second)])["notes"] == ["x", "a", "b"]
        assert view == base

    def test_a_field_that_the_base_lacks_takes_all(self) -> None:
        assert self.merged({}, {"notes": ["a"], "best": -1}, {"notes": ["b"], "best": -2}) == {
            "notes": ["a", "b"],
            "best": -1,
        }

    def test_a_reducer_that_changes_its_arguments_changes_no_state(self) -> None:
        base, states = {"gathered": [[0]]}, [{"gathered": [[0], [1]]}, {"gathered": [[0], [2]]}]

        assert self.merged(base, *states) == {"gathered": [[0], [1], [2]]}
        assert (base, states) == ({"gathered": [[0]]}, [{"gathered": [[0], [1]]}, {"gathered": [[0], [2]]}])

    def test_a_reducer_of_which_nothing_is_known_takes_one_branchs_change(self) -> None:
        assert self.merged({"untold": 1}, {"untold": 5}, {"untold": 1}) == {"untold": 5}
        with pytest.raises(MergeError, match="untold can't tell what each of them added") as caught:
            self.merged({"untold": 1}, {"untold": 5}, {"untold": 5})
        assert caught.value.branches == ("k0", "k1")

    def test_what_was_taken_away_names_the_branch(self) -> None:
        with pytest.raises(MergeError, match="notes: what the branch 'k1' made of it can't be combined") as caught:
            self.merged({"notes": ["x"]}, {"notes": ["x", "a"]}, {"notes": []})
        assert (caught.value.field, caught.value.branches) == ("notes", ("k1",))

    def test_a_read_only_field_stays(self) -> None:
        with pytest.raises(MergeError, match="fixed: the branch 'k1' changed it, though it is read-only"):
            self.merged({"fixed": "a"}, {"fixed": "a"}, {"fixed": "b"})


class TestMergeTails:
    @given(st.lists(st.integers()), st.lists(st.lists(st.integers())))
    def test_each_tail_is_in_there_once(self, base: list[int], tails: list[list[int]]) -> None:
        before = deepcopy(base)

        assert merge_tails(base, [base + tail for tail in tails]) == base + [
            number for tail in tails for number in tail
        ]
        assert base == before

    def test_a_list_with_another_beginning_is_refused(self) -> None:
        with pytest.raises(MergeError, match="list 1 doesn't begin with the 2 entries"):
            merge_tails([1, 2], [[1, 2, 3], [2, 1]])


models = st.builds(
    Model,
    value=st.integers(0, 1),
    items=st.lists(st.integers(0, 1), max_size=2),
    found=st.dictionaries(st.sampled_from("ab"), st.integers(0, 1) | st.lists(st.integers(0, 1), max_size=1)),
    seen=st.sets(st.integers(0, 2)),
)


@given(base=models, other=models, count=st.integers(0, 3))
def test_one_change_among_unchanged_states_is_the_result(base: Model, other: Model, count: int) -> None:
    versions = [("same", base.model_copy(deep=True))] * count
    before = deepcopy((base, other))

    for position in range(count + 1):
        assert merge_states(base, [*versions[:position], ("changed", other), *versions[position:]]) == other
    assert merge_states(base, versions) == base
    assert (base, other) == before


class TestMajority:
    def test_over_outcomes_it_is_what_more_hold_than_anything_else(self) -> None:
        given_outcomes = outcomes({"a": 1, "b": [2]}, {"a": 2}, ValueError("x"), {"b": [2], "a": 1}, {"a": 3})

        merged = merge(reversed(given_outcomes), MAJORITY)

        assert (merged.value, merged.keys) == ({"a": 1, "b": [2]}, ("k0", "k3"))
        assert merged.outcomes == tuple(given_outcomes)
        assert merged.votes is not None
        assert [vote.keys for vote in merged.votes.cast] == [("k0", "k3"), ("k1",), ("k4",)]
        assert (merged.votes.failed, merged.votes.expected) == (("k2",), 5)

    @pytest.mark.parametrize(
        ("values", "is_absolute"),
        [("aab", True), ("aabc", False), (["a", ValueError()], False), (["a", "a", ValueError()], True), ("a", True)],
    )
    def test_the_votes_tell_whether_more_than_half_of_all_agree(self, values: Sequence[Any], is_absolute: bool) -> None:
        merged = merge(outcomes(*values), MAJORITY)

        assert merged.value == "a"
        assert merged.votes is not None
        assert merged.votes.is_absolute is is_absolute

    @pytest.mark.parametrize("values", ["ab", "aabb", "aabbc", ["a", "a", "b", "b", ValueError()]])
    def test_a_tie_is_none(self, values: Sequence[Any]) -> None:
        error = error_of(MAJORITY, *values)

        assert str(error).startswith("no majority, but a tie: the votes are ")
        assert error.votes is not None
        assert (error.votes.winner, error.votes.is_absolute) == (None, False)

    def test_without_a_result_there_is_none(self) -> None:
        assert str(error_of(MAJORITY)) == "no majority: there are no outcomes"
        first = ValueError("x")
        error = error_of(MAJORITY, first)
        assert str(error) == "no majority, for no branch succeeded: k0: ValueError: x"
        assert error.__cause__ is first
        assert error.votes == Votes((), ("k0",), 1)

    def test_a_tie_shows_the_votes(self) -> None:
        error = error_of(MAJORITY, "b", "a", "a", "b", ValueError("x"))

        assert error.votes is not None
        assert [(vote.value, vote.keys) for vote in error.votes.cast] == [("b", ("k0", "k3")), ("a", ("k1", "k2"))]
        assert error.votes.failed == ("k4",)
        assert str(error).endswith(
            "2 for " + ", 2 for ".join(vote.content[:8] for vote in error.votes.cast) + ", 1 failed"
        )

    def test_types_are_told_apart(self) -> None:
        assert [vote.value for vote in count_votes(outcomes(1, True, 1.0, "1", 1)).cast] == [1, True, 1.0, "1"]

    def test_what_has_no_content_can_not_be_compared(self) -> None:
        error = error_of(MAJORITY, "a", [object()])

        assert str(error).startswith("the results can't be compared: ")
        assert error.__cause__ is not None

    def test_the_order_of_arrival_changes_nothing(self) -> None:
        given_outcomes = outcomes("a", "b", "b", "a", "c")

        assert count_votes(given_outcomes) == count_votes(reversed(given_outcomes))

    def test_contents_are_the_same_in_another_process(self) -> None:
        value = {"names": {"b", "a", "c"}, "number": 1}
        code = (
            "from fanfold.engine.merge import count_votes; from fanfold.engine.outcome import Done;"
            "print(count_votes([Done('k', {'number': 1, 'names': {'c', 'a', 'b'}}, 0, 0)]).cast[0].content)"
        )
        own = count_votes(outcomes(value)).cast[0].content

        for seed in ("0", "1"):
            told = subprocess.run(
                [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
            )
            assert told.stdout.strip() == own

    @virtual_time
    async def test_it_stops_as_soon_as_the_majority_is_certain(self) -> None:
        branch = Waiting({"a": 1, "b": 2, "c": 1, "d": 1, "e": 2})

        merged = await majority(branch, "abcde", limit=None)

        assert (merged.value, merged.keys, now()) == (1, ("a", "c", "d"), 4.0)
        assert branch.cancelled == ["e"]
        assert [outcome.key for outcome in merged.outcomes] == ["a", "b", "c", "d"]
        assert merged.votes is not None
        assert [len(vote.keys) for vote in merged.votes.cast] == [3, 1]

    @virtual_time
    async def test_it_goes_on_while_the_first_can_be_drawn_level_with(self) -> None:
        branch = Waiting({"a": 1, "b": 1, "c": 2, "d": ValueError("x"), "e": 2, "f": 1, "g": 3})

        merged = await majority(branch, "abcdefg", limit=None)

        # Two and one after three, two and two after five; three and two with one to come could still be a tie.
        assert (merged.value, merged.keys, now(), branch.cancelled) == (1, ("a", "b", "f"), 7.0, [])
        assert merged.votes is not None
        assert not merged.votes.is_absolute

    @virtual_time
    async def test_failures_make_a_lead_certain_too(self) -> None:
        branch = Waiting({"a": 1, "b": 1, "c": ValueError("x"), "d": ValueError("x"), "e": 2})

        merged = await majority(branch, "abcde", limit=None)

        assert (merged.value, now(), branch.cancelled) == (1, 4.0, ["e"])

    @given(st.lists(st.sampled_from(["a", "b", "c", None]), max_size=9), st.randoms(use_true_random=False))
    def test_it_says_what_all_outcomes_would_have_said(self, says: list[str | None], random: Any) -> None:
        async def branch(item: tuple[int, float]) -> str:
            await asyncio.sleep(item[1])
            said = says[item[0]]
            if said is None:
                raise ValueError
            return said

        items = [(number, random.random()) for number in range(len(says))]
        whole = value_of(lambda: merge(outcomes(*[said or ValueError() for said in says]), MAJORITY).value)

        async def early() -> str:
            return (await majority(branch, items, limit=3)).value

        assert value_of(lambda: run(early())) == whole

    @virtual_time
    async def test_one_branch_without_content_ends_it(self) -> None:
        with pytest.raises(MergeError, match="can't be compared"):
            await majority(Waiting({"a": object(), "b": 1}), "ab", limit=None)
        assert now() == 1.0

    @virtual_time
    async def test_runs_on_one_item_each_get_their_own(self) -> None:
        given_item = {"list": [0]}

        async def branch(item: dict[str, list[int]]) -> list[int]:
            item["list"].append(1)
            await asyncio.sleep(1)
            return item["list"]

        merged = await majority_of_runs(branch, given_item, runs=5, limit=1)

        assert (merged.value, merged.keys, now()) == ([0, 1], ("0", "1", "2"), 3.0)
        assert given_item == {"list": [0]}
        with pytest.raises(ValueError, match="at least 1"):
            await majority_of_runs(branch, given_item, runs=0, limit=1)


def value_of(function: Callable[[], Any]) -> Any:
    try:
        return function()
    except MergeError:
        return None


class TestAFunctionOfOnesOwn:
    def test_it_gets_all_outcomes_in_item_order(self) -> None:
        def longest(given_outcomes: Sequence[Outcome[str]]) -> str:
            assert [outcome.key for outcome in given_outcomes] == ["k0", "k1", "k2"]
            return max((outcome.value for outcome in given_outcomes if isinstance(outcome, Done)), key=len)

        merged = merge(reversed(outcomes("a", ValueError("x"), "ccc")), longest)

        assert (merged.value, merged.keys) == ("ccc", ("k0", "k2"))

    def test_what_it_raises_is_the_cause(self) -> None:
        def fail(_outcomes: Any) -> Any:
            raise KeyError("x")

        error = error_of(fail, "a")

        assert str(error) == "the outcomes can't be merged: KeyError: 'x'"
        assert isinstance(error.__cause__, KeyError)

    def test_its_own_merge_error_is_passed_on_with_the_outcomes(self) -> None:
        given_error = MergeError("too few")

        def fail(_outcomes: Any) -> Any:
            raise given_error

        assert error_of(fail, "a") is given_error


@pytest.mark.parametrize("race", [first_success, majority])
@virtual_time
async def test_the_callers_cancellation_leaves_no_branch(race: Callable[..., Awaitable[Any]]) -> None:
    branch = Waiting({"a": 1, "b": 2}, {"a": 5, "b": 6})

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await race(branch, "ab", limit=None)

    assert sorted(branch.cancelled) == ["a", "b"]
    assert len(asyncio.all_tasks()) == 1


@virtual_time
async def test_a_total_deadline_is_a_failure_of_what_was_left() -> None:
    branch = Waiting({"a": 1, "b": 1}, {"a": 5, "b": 6})

    with pytest.raises(MergeError) as caught:
        await first_success(branch, "ab", limit=1, total_deadline_s=2)

    errors = [type(outcome.error) for outcome in caught.value.outcomes if isinstance(outcome, Failed)]
    assert errors == [DeadlineExceeded, BranchNotStarted]


def test_votes_print_what_was_voted() -> None:
    assert str(Votes((), (), 0)) == "none"
    some = count_votes(outcomes(*"aabcdefgg", ValueError("x")))
    assert [word for word in str(some).split() if word.isdigit()] == ["2", "2", "1", "1", "1", "2", "1"]
    assert str(some).endswith("2 for others, 1 failed")


class TestTheNameOfAStrategy:
    @pytest.mark.parametrize("strategy", MergeStrategy)
    def test_does_as_well(self, strategy: MergeStrategy) -> None:
        given_outcomes = outcomes({"n": 1}, {"n": 1})

        assert merge(given_outcomes, strategy.value, state={"n": 0}) == merge(given_outcomes, strategy, state={"n": 0})

    def test_is_one_of_three(self) -> None:
        with pytest.raises(ValueError, match="'most': it is one of 'first_success', 'all_success', 'majority', or a"):
            merge(outcomes("a"), "most")  # type: ignore[arg-type]


@pytest.mark.parametrize("race", [first_success, all_success, majority])
def test_the_options_are_those_of_a_stream_without_a_mode(race: Callable[..., Any]) -> None:
    options = set(inspect.signature(stream).parameters)

    assert set(inspect.signature(race).parameters) == options - {"mode"}


@pytest.mark.parametrize("race", [first_success, majority])
@virtual_time
async def test_a_state_may_be_none_and_a_schema_needs_one(race: Callable[..., Awaitable[Any]]) -> None:
    async def branch(_item: str, state: None) -> bool:
        return state is None

    assert (await race(branch, "ab", limit=1, state=None)).value is True
    with pytest.raises(ValueError, match="there is no state"):
        await race(branch, "ab", limit=1, schema=Config)


class Mute(Exception):
    """As a client library's error that reads a response which it never got."""

    def __str__(self) -> str:
        raise AttributeError


def mute(left: object, right: object) -> object:
    raise Mute(left, right)


def mute_all(outcomes: Sequence[Outcome[int]]) -> int:
    raise Mute(outcomes)


@virtual_time
async def test_errors_that_cant_be_rendered_are_told_by_their_type() -> None:
    async def fail(item: str) -> None:
        raise Mute(item)

    said = r"Mute: \(its message can't be rendered\)"
    with pytest.raises(MergeError, match=said):
        await first_success(fail, ["a"], limit=1)
    with pytest.raises(MergeError, match=said):
        merge([Done("a", 1, 0, 0)], mute_all)

    @dataclass
    class Muted:
        count: Annotated[int, Reducer(mute, since=lambda _, value: value)] = 0

        def __post_init__(self) -> None:
            if self.count < 0:
                raise Mute

    muted, negative = Muted(1), Muted(0)
    negative.count = -1
    with pytest.raises(MergeError, match=said):
        merge_states(Muted(), [("a", muted), ("b", Muted(2))])
    with pytest.raises(MergeError, match=said):
        merge_states(Muted(), [("a", negative)])


@dataclass
class Measured:
    score: float = 0.0
    parts: tuple[float, ...] = ()


class MeasuredModel(pydantic.BaseModel):
    score: float = 0.0
    parts: tuple[float, ...] = ()


class Hiding(pydantic.BaseModel):
    score: float = 0.0
    _hidden: int = 1


class TestNaN:
    """Any NaN is as any other, as it is for votes."""

    @pytest.mark.parametrize(
        "make",
        [
            lambda: float("nan"),
            lambda: (1.0, float("nan")),
            lambda: {"a": [float("nan")]},
            lambda: Measured(float("nan")),
            lambda: MeasuredModel(parts=(float("nan"),)),
            lambda: Decimal("nan"),
        ],
    )
    def test_that_two_branches_came_to_is_agreed_on(self, make: Callable[[], Any]) -> None:
        assert content_hash(merge_states({"x": 0}, [("a", {"x": make()}), ("b", {"x": make()})])) == content_hash(
            {"x": make()}
        )

    def test_that_was_there_before_is_not_changed_by_another(self) -> None:
        state = merge_states({"x": float("nan")}, [("a", {"x": float("nan")}), ("b", {"x": 1.0})])
        assert state == {"x": 1.0}

    @pytest.mark.parametrize("other", [1.0, None, (float("nan"), 2.0), {"a": 1}, Measured])
    def test_is_none_of_what_is_no_nan(self, other: object) -> None:
        with pytest.raises(MergeError, match="different values"):
            merge_states({"x": 0}, [("a", {"x": float("nan")}), ("b", {"x": other})])

    @pytest.mark.parametrize("score", [0.0, float("nan")])
    def test_hides_no_other_change(self, score: float) -> None:
        before, after = Hiding(score=score), Hiding(score=float(str(score)))
        after._hidden = 2
        assert merge_states({"x": before}, [("a", {"x": after})])["x"] is after

    def test_in_a_list_may_be_there_before_what_was_added(self) -> None:
        versions = [(key, {"x": [float("nan"), value]}) for key, value in (("a", 1.0), ("b", 2.0))]
        assert merge_states({"x": [float("nan")]}, versions)["x"][1:] == [1.0, 2.0]
