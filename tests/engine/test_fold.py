from __future__ import annotations

import asyncio
import operator
import tracemalloc
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import InitVar, dataclass, field
from types import MappingProxyType
from typing import Annotated, Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import ReadOnly, TypedDict

from fanfold.engine.events import Folded
from fanfold.engine.fan_out import fan_out, stream
from fanfold.engine.fold import MOST_CHECKPOINTS, FoldError, Folding, fold
from fanfold.engine.isolate import freeze
from fanfold.engine.outcome import Done, Failed, Outcome
from fanfold.engine.reducers import Reducer, append_unique, concat, keep_last, largest, merge_dicts, top_k, total, union
from fanfold.engine.schema import fields_of, values_of
from fanfold.testing.clock import virtual_time


def append(held: list[Any], added: Any) -> list[Any]:
    """As people write reducers: changes its argument."""
    held.append(added)
    return held


def collect(held: dict[str, list[Any]], added: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Keeps what it is given, and changes it the next time."""
    for key, values in added.items():
        held.setdefault(key, values)
        held[key] += values[:1]
    return held


def refuse_threes(held: int, added: int) -> int:
    if added == 3:
        raise ZeroDivisionError("three")
    return held + added


class State(TypedDict, total=False):
    notes: Annotated[list[Any], concat]
    added: Annotated[list[Any], operator.add]
    count: Annotated[int, total]
    best: Annotated[int | None, largest]
    top: Annotated[list[int], top_k(2)]
    seen: Annotated[set[int], union]
    once: Annotated[list[int], append_unique]
    config: Annotated[dict[str, int], merge_dicts]
    last: Annotated[str, keep_last]
    log: Annotated[list[Any], append]
    index: Annotated[dict[str, list[Any]], collect]
    picky: Annotated[int, refuse_threes]
    answer: str
    question: ReadOnly[str]


@dataclass
class Data:
    notes: Annotated[list[str], concat] = field(default_factory=list)
    count: Annotated[int, total] = 0
    answer: str = ""


@dataclass
class Viewed:
    notes: Annotated[list[Any], concat]
    log: Annotated[list[Any], append]
    config: Annotated[dict[str, int], merge_dicts]


@dataclass(frozen=True)
class FrozenData:
    notes: Annotated[tuple[str, ...], concat] = ()
    count: Annotated[int, total] = 0

    def __post_init__(self) -> None:
        if self.count > 9:
            raise ValueError("too many")


class Model(pydantic.BaseModel):
    notes: Annotated[list[str], concat] = []
    count: Annotated[int, total] = 0
    answer: str = ""


class FrozenModel(Model):
    model_config = pydantic.ConfigDict(frozen=True)


def done(index: int, value: Any = None, key: str | None = None) -> Done[Any]:
    return Done(key or f"k{index}", value, 0.0, 0.0, 1, index)


def failed(index: int) -> Failed:
    return Failed(f"k{index}", ValueError("no"), 0.0, 0.0, 1, index)


def outcomes(*values: Any) -> list[Outcome[Any]]:
    return [done(index, value) for index, value in enumerate(values)]


def folded(state: Any, *values: Any) -> Any:
    return fold(state, outcomes(*values), schema=State)


def test_updates_are_applied_with_the_reducers_in_item_order() -> None:
    state = State(notes=["x"], count=1, answer="?", question="why")

    result = folded(state, {"notes": ["a"], "count": 2}, {"best": 3, "notes": ["b"]}, {"answer": "!", "best": 1})

    assert result == {"notes": ["x", "a", "b"], "count": 3, "best": 3, "answer": "!", "question": "why"}


@pytest.mark.parametrize("state", [Data(["x"]), Model(notes=["x"]), FrozenModel(notes=["x"])])
def test_a_state_keeps_its_type(state: Any) -> None:
    before = deepcopy(state)

    result = fold(state, outcomes({"notes": ["a"]}, {"count": 2, "answer": "!"}))

    assert type(result) is type(state)
    assert (result.notes, result.count, result.answer) == (["x", "a"], 2, "!")
    assert state == before


def test_a_frozen_dataclass_is_folded_through_its_constructor() -> None:
    assert fold(FrozenData(), outcomes({"count": 4}, {"notes": ("a",), "count": 5})) == FrozenData(("a",), 9)
    with pytest.raises(FoldError, match="is no FrozenData: ValueError: too many") as caught:
        fold(FrozenData(), outcomes({"count": 5}, {"count": 5}))
    assert caught.value.state == {"notes": (), "count": 10}
    assert len(caught.value.outcomes) == 2


def test_a_plain_dict_takes_any_field_from_one_branch_each() -> None:
    assert fold({"a": 1}, outcomes({"b": [2]}, {"a": 3})) == {"a": 3, "b": [2]}
    with pytest.raises(FoldError, match="'k0' and 'k1' wrote 'b'"):
        fold({}, outcomes({"b": 1}, {"b": 1}))


def test_any_mapping_is_an_update_and_any_mapping_a_state() -> None:
    state = MappingProxyType({"a": 1})

    assert fold(state, outcomes(MappingProxyType({"b": 2}))) == {"a": 1, "b": 2}


def test_failed_branches_and_empty_updates_change_nothing() -> None:
    state: Any = State(notes=["x"])

    assert fold(state, [failed(0), done(1), done(2, {}), done(3, {"notes": ["a"]})], schema=State) == {
        "notes": ["x", "a"]
    }
    assert fold(state, [], schema=State) == state


def test_outcomes_that_were_made_by_hand_are_taken_as_they_come() -> None:
    by_hand = [Done(key, {"notes": [key]}, 0.0, 0.0) for key in "cab"]

    state: Any = State()

    assert fold(state, by_hand, schema=State) == {"notes": ["c", "a", "b"]}


def test_new_keys_of_a_dict_come_in_the_order_of_the_schema_or_of_the_items() -> None:
    updates = [done(1, {"notes": ["a"], "answer": "!"}), done(0, {"last": "x", "count": 1})]

    assert list(fold({}, updates, schema=State)) == ["notes", "count", "last", "answer"]
    assert list(fold({}, updates)) == ["last", "count", "notes", "answer"]


values = st.fixed_dictionaries(
    {},
    optional={
        "notes": st.lists(st.integers(), max_size=2),
        "added": st.lists(st.integers(), max_size=2),
        "count": st.integers(),
        "best": st.integers(),
        "top": st.lists(st.integers(), max_size=3),
        "seen": st.sets(st.integers(0, 5), max_size=2),
        "once": st.lists(st.integers(0, 5), max_size=2),
        "config": st.dictionaries(st.sampled_from("abc"), st.integers(), max_size=2),
        "last": st.text(max_size=2),
        "log": st.integers(),
        "index": st.dictionaries(st.sampled_from("ab"), st.lists(st.integers(), max_size=2), max_size=2),
    },
)
states = st.builds(
    lambda state, more: {**state, **more}, st.just({}), values.map(lambda v: {**v, "log": [v.get("log")]})
)
updates = st.lists(st.none() | values, max_size=12)


def one_by_one(state: Mapping[str, Any], arrived: Sequence[Outcome[Any]]) -> dict[str, Any]:
    """What a fold says, said plainly."""
    held = deepcopy(dict(state))
    for outcome in sorted(arrived, key=lambda outcome: outcome.index):
        update = deepcopy(outcome.value) if isinstance(outcome, Done) else {}
        for name, value in (update or {}).items():
            declared = fields_of(State)[name]
            assert declared.reducer is not None
            if name in held:
                held[name] = declared.reducer(held[name], value)
            else:
                held[name] = declared.reducer(declared.start(), value) if declared.start else value
    return held


@given(state=states, update=updates)
def test_a_fold_is_the_reducers_one_after_another(state: Any, update: list[Any]) -> None:
    given_outcomes = outcomes(*update)
    before = deepcopy((state, given_outcomes))

    assert fold(state, given_outcomes, schema=State) == one_by_one(state, given_outcomes)
    assert (state, given_outcomes) == before


@given(state=states, update=updates, data=st.data())
def test_a_fold_does_not_depend_on_the_order_of_arrival(state: Any, update: list[Any], data: st.DataObject) -> None:
    in_order = outcomes(*update)
    arrived = data.draw(st.permutations(in_order))

    by_items, by_arrival = fold(state, in_order, schema=State), fold(state, arrived, schema=State)

    assert repr(by_items) == repr(by_arrival)


@given(state=states, update=updates, data=st.data())
def test_a_partial_state_is_the_fold_of_what_has_arrived(state: Any, update: list[Any], data: st.DataObject) -> None:
    arrived = data.draw(st.permutations(outcomes(*update)))
    before = deepcopy((state, arrived))
    folding = Folding(state, schema=State)
    partials = []

    for count, outcome in enumerate(arrived, 1):
        folding.add(outcome)
        if data.draw(st.booleans()):
            partials.append((folding.partial(), one_by_one(state, arrived[:count])))

    # Compared at the end, when later outcomes could have changed what was handed out before.
    assert all(partial == expected for partial, expected in partials)
    assert folding.result() == one_by_one(state, arrived)
    assert (state, arrived) == before


class Test10000Updates:
    """Counted in calls and copies of elements, for time depends on the machine."""

    def test_a_straggler_does_not_make_each_partial_state_fold_all_again(self) -> None:
        calls = 0

        def add(held: int, added: int) -> int:
            nonlocal calls
            calls += 1
            return held + added

        schema = counting(add)
        folding: Folding[dict[str, int]] = Folding({"count": 0}, schema=schema)
        for index in range(1, 10_000):
            folding.add(done(index, {"count": 1}))
            assert folding.partial() == {"count": index}
        folding.add(done(0, {"count": 1}))

        assert folding.partial() == {"count": 10_000}
        assert calls < 3 * 10_000

    def test_more_gaps_than_checkpoints_are_folded_right(self) -> None:
        folding: Folding[dict[str, Any]] = Folding({}, schema=State)
        gaps = [index for index in range(40) if index % 2 == 0]
        order = [index for index in range(40) if index % 2] + gaps

        for count, index in enumerate(order, 1):
            folding.add(done(index, {"notes": [index]}))
            assert folding.partial() == {"notes": sorted(order[:count])}
        assert len(gaps) > MOST_CHECKPOINTS

    def test_lists_are_joined_in_one_go(self) -> None:
        class Counted(list[int]):
            """A list that counts how often it is read whole."""

            reads = 0

            def __iter__(self) -> Any:
                type(self).reads += 1
                return super().__iter__()

        result = fold({"added": Counted(range(1_000))}, outcomes(*([{"notes": [1]}] * 10_000)), schema=State)
        long = fold({"notes": Counted(range(1_000))}, outcomes(*([{"notes": [1]}] * 10_000)), schema=State)

        assert len(result["notes"]) == 10_000
        assert len(long["notes"]) == 11_000
        assert Counted.reads == 1

    def test_a_reducer_that_takes_many_gets_them_in_one_go(self) -> None:
        def one_by_one(_held: int, _added: int) -> int:
            raise AssertionError

        def all_at_once(held: int, added: Sequence[int]) -> int:
            return held + len(added)

        schema = counting(Reducer(one_by_one, pure=True, many=all_at_once))

        assert fold({"count": 0}, outcomes(*([{"count": 1}] * 10_000)), schema=schema) == {"count": 10_000}
        assert all(reducer.reducer and reducer.reducer.many for name, reducer in fields_of(State).items() if name in
                   ("notes", "added", "top", "seen", "once", "config"))  # fmt: skip

    def test_partial_states_are_not_all_kept(self) -> None:
        folding: Folding[dict[str, Any]] = Folding({}, schema=State)
        tracemalloc.start()
        try:
            for index in range(2_000):
                folding.add(done(index, {"notes": [index]}))
                folding.partial()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        # Lists of 1 to 2,000 references make 16 MB together.
        assert peak < 8_000_000

    def test_an_event_tells_of_it(self) -> None:
        events: list[Folded] = []

        fold({}, [*outcomes(*([{"count": 1, "notes": []}] * 3), None), failed(4)], schema=State, on_event=events.append)

        assert events == [Folded(("notes", "count"), 3)]


def counting(add: Any) -> type:
    class Schema(TypedDict):
        count: int

    Schema.__annotations__["count"] = Annotated[int, add]
    return Schema


class TestWhatIsRefused:
    def refused(self, *values: Any, state: Any = None, said: str | None = None) -> FoldError:
        given_outcomes = outcomes(*values)
        with pytest.raises(FoldError, match=said) as caught:
            fold(State(notes=["x"]) if state is None else state, given_outcomes, schema=None if state else State)
        assert caught.value.outcomes == tuple(given_outcomes)
        return caught.value

    def test_a_field_that_two_branches_write_without_a_reducer_names_both(self) -> None:
        error = self.refused({"notes": ["a"]}, {"answer": "a"}, None, {"answer": "a"}, {"answer": "b"})

        assert str(error) == "the branches 'k1' and 'k3' wrote 'answer', which has no reducer"
        assert (error.field, error.branches) == ("answer", ("k1", "k3"))
        assert error.hint is not None
        assert "Annotated" in error.hint
        assert error.state == {"notes": ["x", "a"], "answer": "a"}

    def test_outcomes_in_any_order_are_refused_alike(self) -> None:
        given_outcomes = outcomes({"zzzz": 1}, {"count": 1}, {"yyyy": 1})

        with pytest.raises(FoldError, match="'k0' wrote 'zzzz'") as caught:
            fold({}, reversed(given_outcomes), schema=State)
        assert caught.value.outcomes == tuple(given_outcomes)

    def test_two_writers_are_named_in_item_order_whoever_came_first(self) -> None:
        folding: Folding[Any] = Folding({}, schema=State)
        folding.add(done(5, {"answer": "b"}))

        with pytest.raises(FoldError, match="'k2' and 'k5' wrote 'answer'") as caught:
            folding.add(done(2, {"answer": "a"}))
        assert caught.value.branches == ("k2", "k5")

    @pytest.mark.parametrize(("name", "hint"), [("note", "is it 'notes'?"), ("zzzz", "the state has notes, added")])
    def test_a_field_that_the_state_lacks_names_the_branch(self, name: str, hint: str) -> None:
        error = self.refused(None, {name: 1, "notes": ["a"]})

        assert str(error) == f"the branch 'k1' wrote {name!r}, which the state lacks"
        assert (error.field, error.branches) == (name, ("k1",))
        assert hint in str(error.hint)
        assert error.state == {"notes": ["x"]}

    def test_a_read_only_field_names_the_branch(self) -> None:
        error = self.refused({"question": "how"})

        assert str(error) == "the branch 'k0' wrote 'question', which is read-only"
        assert error.field == "question"

    @pytest.mark.parametrize("value", [3, "notes", ["notes"], [("notes", 1)], {"notes"}])
    def test_a_value_that_is_no_update_names_the_branch(self, value: Any) -> None:
        error = self.refused({"notes": ["a"]}, value)

        assert str(error) == f"the branch 'k1' returned a {type(value).__name__} as its update"
        assert error.state == {"notes": ["x", "a"]}

    @pytest.mark.parametrize("state", [{"a": 1}, Data(), Model(), FrozenModel()])
    def test_the_state_itself_is_no_update(self, state: Any) -> None:
        error = self.refused(state, state=state)

        assert str(error) == "the branch 'k0' returned the whole state"

    def test_another_state_of_the_same_type_is_no_update(self) -> None:
        self.refused(Data(["a"]), state=Data(), said="'k0' returned the whole state")

    @pytest.mark.parametrize("name", ["notes", "added", "log"])
    def test_a_list_of_the_state_that_would_be_in_there_twice(self, name: Any) -> None:
        state: dict[str, Any] = {name: ["x"], "answer": "?"}

        with pytest.raises(FoldError, match=f"'k0' returned the state's own '{name}', which would double it"):
            fold(state, outcomes({**state}), schema=State)

    def test_a_value_of_the_state_that_comes_back_without_harm_is_none(self) -> None:
        state = State(seen={1}, answer="?", notes=[])

        assert folded(state, {**state}) == state

    def test_an_outcome_that_was_added_before(self) -> None:
        self.refused_twice([done(0, {"count": 1}), done(0, {"count": 1})])
        self.refused_twice([failed(3), failed(3)])

    def refused_twice(self, given_outcomes: list[Outcome[Any]]) -> None:
        with pytest.raises(FoldError, match="was added twice") as caught:
            fold({}, given_outcomes, schema=State)
        assert caught.value.outcomes == tuple(given_outcomes)

    def test_a_refused_outcome_takes_no_part_and_the_rest_goes_on(self) -> None:
        folding: Folding[Any] = Folding({}, schema=State)
        folding.add(done(0, {"count": 1}))
        with pytest.raises(FoldError):
            folding.add(done(1, {"count": 1, "zzzz": 1}))
        folding.add(done(2, {"count": 1}))

        assert folding.result() == {"count": 2}
        assert folding.folded() == Folded(("count",), 2)


class TestReducersThatRaise:
    def test_the_branch_and_field_are_named_and_nothing_is_lost(self) -> None:
        given_outcomes = outcomes(
            {"picky": 1, "count": 1}, {"picky": 2}, {"picky": 3, "notes": ["a"]}, {"picky": 4, "count": 2}
        )

        with pytest.raises(FoldError) as caught:
            fold(State(picky=0), given_outcomes, schema=State)

        error = caught.value
        assert str(error) == (
            "the reducer of 'picky', refuse_threes, raised on the update of the branch 'k2': ZeroDivisionError: three"
        )
        assert (error.field, error.branches) == ("picky", ("k2",))
        assert isinstance(error.__cause__, ZeroDivisionError)
        assert error.outcomes == tuple(given_outcomes)
        assert error.state == {"picky": 3, "count": 3, "notes": ["a"]}

    def test_one_that_takes_many_at_once_names_the_branch_too(self) -> None:
        with pytest.raises(FoldError, match=r"'notes', concat, raised on the update of the branch 'k1'") as caught:
            folded({}, {"notes": ["a"]}, {"notes": "b"}, {"notes": ["c"]})

        assert caught.value.state == {"notes": ["a"]}

    def test_the_first_in_item_order_is_named(self) -> None:
        with pytest.raises(FoldError) as caught:
            folded({}, {"notes": [], "picky": 0}, {"picky": 3}, {"notes": 1})

        assert caught.value.branches == ("k1",)

    def test_a_folding_goes_on_and_says_so_each_time(self) -> None:
        folding: Folding[Any] = Folding({"picky": 0}, schema=State)
        for index in (0, 3, 4, 6):
            folding.add(done(index, {"picky": index, "count": 1}))

        for _ in range(2):
            with pytest.raises(FoldError, match="'k3'") as caught:
                folding.partial()
            assert caught.value.state == {"picky": 0, "count": 4}

    def test_a_reducer_whose_many_fails_where_it_doesnt_itself_is_believed(self) -> None:
        def fail(_held: int, _added: Sequence[int]) -> int:
            raise ValueError

        class Schema(TypedDict):
            count: int

        Schema.__annotations__["count"] = Annotated[int, Reducer(operator.add, pure=True, many=fail)]

        assert fold({"count": 1}, outcomes({"count": 1}), schema=Schema) == {"count": 2}


class TestValidation:
    def test_a_model_refuses_a_value_of_another_type_and_names_who_wrote_it(self) -> None:
        with pytest.raises(FoldError) as caught:
            fold(Model(), outcomes({"count": 1}, {"answer": 3}))

        error = caught.value
        assert str(error) == "the folded state is no Model: answer: Input should be a valid string"
        assert error.hint == "look at what was written by 'k1'"
        assert (error.field, error.branches) == ("answer", ("k1",))
        assert isinstance(error.__cause__, pydantic.ValidationError)
        assert getattr(error.state, "count", None) == 1

    def test_of_many_writers_the_first_ones_are_named(self) -> None:
        with pytest.raises(FoldError) as caught:
            fold(Model(), outcomes(*([{"notes": ["a"]}] * 4), {"notes": [1]}))

        assert str(caught.value).startswith("the folded state is no Model: notes.4: ")
        assert caught.value.hint == "look at what was written by 'k0', 'k1', 'k2' and others"
        assert len(caught.value.branches) == 5

    def test_a_partial_state_is_not_validated(self) -> None:
        folding = Folding(Model())
        folding.add(done(0, {"answer": 3}))

        assert folding.partial().answer == 3  # type: ignore[comparison-overlap]


def test_nothing_is_shared_with_what_a_branch_could_still_change() -> None:
    kept: dict[str, Any] = {"notes": [["a"]], "answer": ["b"]}

    result: Any = fold({}, outcomes(kept))
    kept["notes"][0].append("later")
    kept["answer"].append("later")

    assert result == {"notes": [["a"]], "answer": ["b"]}


@pytest.mark.parametrize(
    "given_state", [{"notes": [[1]], "log": [[1]], "config": {"a": 1}}, Viewed([[1]], [[1]], {"a": 1})]
)
def test_a_branchs_own_view_of_a_state_folds_as_the_state_itself(given_state: Any) -> None:
    schema = None if isinstance(given_state, Viewed) else State
    view = freeze(given_state).view()
    before = deepcopy(given_state)
    update = {"notes": [[2]], "log": [2], "config": {"b": 1}}

    result = fold(view, outcomes(update), schema=schema)

    assert result == fold(given_state, outcomes(update), schema=schema)
    assert values_of(result) == {"notes": [[1], [2]], "log": [[1], [2]], "config": {"a": 1, "b": 1}}
    assert {type(value) for value in values_of(result).values()} == {list, dict}
    assert view == given_state == before


def test_what_is_no_data_goes_through_as_it_is() -> None:
    class Client:
        def __deepcopy__(self, memo: Any) -> Any:
            raise AssertionError

    client = Client()

    assert folded({"log": [client]}, {"log": client, "notes": [client]}) == {"log": [client, client], "notes": [client]}


def test_a_reducer_that_changes_its_arguments_changes_neither_state_nor_outcomes() -> None:
    state: Any = State(log=["x"], index={"a": [0]})
    given_outcomes = outcomes({"log": 1, "index": {"b": [1]}}, {"log": 2, "index": {"b": [2]}})
    before = deepcopy((state, given_outcomes))

    result = fold(state, given_outcomes, schema=State)

    assert result == {"log": ["x", 1, 2], "index": {"a": [0], "b": [1, 1, 2]}}
    assert (state, given_outcomes) == before


@virtual_time
async def test_outcomes_of_a_stream_fold_as_those_of_a_fan_out() -> None:
    async def branch(item: int) -> dict[str, Any]:
        await asyncio.sleep((item * 7) % 5)
        if item == 3:
            raise ValueError
        return {"notes": [item], "count": item}

    state: Any = State(notes=["x"])
    folding = Folding(state, schema=State)
    seen = []
    async with stream(branch, range(10), limit=4) as arriving:
        async for outcome in arriving:
            folding.add(outcome)
            seen.append(folding.partial()["notes"])

    expected = fold(state, await fan_out(branch, range(10), limit=4), schema=State)
    assert folding.result() == expected == {"notes": ["x", 0, 1, 2, 4, 5, 6, 7, 8, 9], "count": 42}
    assert all(notes == ["x", *sorted(notes[1:])] for notes in seen)


class Mute(Exception):
    """As a client library's error that reads a response which it never got."""

    def __str__(self) -> str:
        raise AttributeError


def mute(left: object, right: object) -> object:
    raise Mute(left, right)


def test_an_error_that_cant_be_rendered_is_told_by_its_type() -> None:
    @dataclass
    class Muted:
        count: Annotated[int, mute] = 0
        plain: int = 0

        def __post_init__(self) -> None:
            if self.plain < 0:
                raise Mute

    for update in ({"count": 1}, {"plain": -1}):
        with pytest.raises(FoldError, match=r"Mute: \(its message can't be rendered\)"):
            fold(Muted(), [Done("a", update, 0, 0)])


@dataclass
class Seeded:
    seed: InitVar[int]
    notes: Annotated[list[str], concat] = field(default_factory=list)
    drawn: int = field(init=False, default=0)

    def __post_init__(self, seed: int) -> None:
        self.drawn = seed * 2


@dataclass(frozen=True, slots=True)
class FrozenSeeded:
    seed: InitVar[int]
    notes: Annotated[tuple[str, ...], concat] = ()


def test_a_dataclass_that_is_made_with_what_it_doesnt_keep_is_folded_as_a_copy() -> None:
    state = Seeded(21)
    folded = fold(state, [Done("a", {"notes": ["a"]}, 0, 0), Done("b", {"notes": ["b"]}, 0, 0, index=1)])
    assert (folded.notes, folded.drawn, state.notes) == (["a", "b"], 42, [])
    assert fold(FrozenSeeded(1), [Done("a", {"notes": ("a",)}, 0, 0)]).notes == ("a",)
