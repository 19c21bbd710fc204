"""A flow as data: what it refuses, what its functions are called, what it begins with, and of which types it is."""

from __future__ import annotations

import dataclasses
import enum
import functools
from collections.abc import Iterable
from dataclasses import InitVar, dataclass, field
from typing import Annotated, Any, Generic, NotRequired, TypedDict, TypeVar

import pydantic
import pytest
import typing_extensions
from typing_extensions import ReadOnly

from fanfold.engine import Codec, ContentError, JournalError, SchemaError, concat, read_only, retry, total
from fanfold.runtimes import Flow, FlowError, Update
from fanfold.runtimes.flow import name_of
from fanfold.runtimes.run import begun
from fanfold.runtimes.types import type_of, update_type

T = TypeVar("T")


class State(typing_extensions.TypedDict):
    files: ReadOnly[list[str]]
    notes: Annotated[list[str], concat]
    count: NotRequired[Annotated[int, total]]
    answer: NotRequired[str]


@dataclass
class Data:
    files: list[str]
    rules: Annotated[list[str], read_only] = field(default_factory=list)
    notes: Annotated[list[str], concat] = field(default_factory=lambda: ["first"])
    count: Annotated[int, total] = 7


class Model(pydantic.BaseModel):
    files: list[str] = pydantic.Field(alias="theFiles")
    notes: Annotated[list[str], concat]
    count: Annotated[int, pydantic.Field(ge=5), total] = 7


@dataclass
class Made:
    size: InitVar[int]
    notes: Annotated[list[str], concat]
    length: int = field(init=False, default=0)

    def __post_init__(self, size: int) -> None:
        self.length = size


class Parcel(typing_extensions.TypedDict, Generic[T]):
    files: list[T]
    notes: Annotated[list[T], concat]
    pairs: Annotated[dict[str, tuple[T, int]], dict.__or__]


class Colour(enum.Enum):
    RED = "red"


def files(state: Any) -> Iterable[str]:
    return list(state["files"])


async def review(item: str, _: State) -> Update:
    return {"notes": [item]}


async def step(_: State) -> Update:
    return None


async def early(item: str, _: State) -> list[str]:
    return [item]


async def undeclared(item, _):  # type: ignore[no-untyped-def]
    return [item]


def flow_of(**options: Any) -> Flow[Any]:
    return Flow(**{"name": "reviews", "state": State, "items": files, "branch": review, **options})


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("options", "told"),
        [
            ({"name": ""}, "'' is no name"),
            ({"name": "two\nlines"}, "is no name"),
            ({"name": 3}, "3 is no name"),
            ({"version": ""}, "'' is no version"),
            ({"branch": ()}, "has no branch"),
            ({"branch": None}, "branch of the flow reviews is no tuple"),
            ({"branch": (early, "review")}, "branch of the flow reviews is no tuple"),
            ({"prepare": step}, "prepare of the flow reviews is no tuple"),
            ({"finish": (None,)}, "finish of the flow reviews is no tuple"),
            ({"items": None}, "items of the flow reviews is no function"),
            ({"items": step}, "items of the flow reviews is an async function"),
            ({"failed": {"notes": []}}, "failed of the flow reviews is no function"),
            ({"key": "path"}, "key of the flow reviews is no function"),
            ({"deadline_s": 0}, "deadline_s of the flow reviews is 0"),
            ({"deadline_s": "60"}, "deadline_s of the flow reviews is '60'"),
            ({"total_deadline_s": -1.0}, "total_deadline_s of the flow reviews is -1.0"),
            ({"prepare": (step, step)}, "two functions of the flow reviews are called step"),
            ({"branch": (early, review), "finish": (review,)}, "two functions of the flow reviews are called review"),
        ],
    )
    def test_a_flow_that_can_not_run(self, options: dict[str, Any], told: str) -> None:
        with pytest.raises(FlowError, match=told) as caught:
            flow_of(**options)
        assert "\n" not in str(caught.value)

    def test_a_state_that_is_no_schema(self) -> None:
        with pytest.raises(SchemaError):
            flow_of(state=dict)

    def test_functions_that_a_list_holds_are_fine(self) -> None:
        flow = flow_of(prepare=[step], branch=[early, review])
        assert flow.prepare == (step,)
        assert [name_of(hop) for hop in flow.hops] == ["early", "review"]

    def test_a_flow_made_again_with_other_options_has_its_own_hops(self) -> None:
        one = flow_of()
        assert len(one.hops) == 1
        assert len(dataclasses.replace(one, branch=(early, review)).hops) == 2


class TestNames:
    def test_are_those_of_the_functions(self) -> None:
        assert name_of(review) == "review"
        assert name_of(retry(attempts=2)(review)) == "review"
        assert name_of(flow_of().hops[-1]) == "review"

    def test_see_through_partials_and_what_stands_before_them(self) -> None:
        partial = functools.partial(review)
        assert name_of(partial) == "review"
        assert name_of(retry(attempts=2)(partial)) == "review"
        assert name_of(functools.partial(retry(attempts=2)(partial))) == "review"

    def test_are_the_type_s_where_an_object_is_called(self) -> None:
        class Reviewer:
            async def __call__(self, _: str, __: State) -> Update:
                return None

        assert name_of(Reviewer()) == "Reviewer"
        assert name_of(retry(attempts=2)(Reviewer())) == "Reviewer"

    def test_that_were_given_on_purpose_stay(self) -> None:
        @functools.wraps(review)
        async def other(_: str, __: State) -> Update:
            return None

        other.__name__ = "other"
        assert name_of(other) == "other"
        flow_of(branch=(other, review))


class TestWhatItBeginsWith:
    def test_a_field_that_is_missing_holds_its_reducer_s_start(self) -> None:
        assert begun(flow_of(), {"files": ["a"]}) == {"files": ["a"], "notes": []}

    def test_fields_are_in_the_order_of_the_schema(self) -> None:
        assert list(begun(flow_of(), {"answer": "", "count": 1, "files": []})) == ["files", "notes", "count", "answer"]

    def test_a_dataclass_has_its_own_defaults_first(self) -> None:
        assert begun(flow_of(state=Data), {"files": ["a"]}) == Data(["a"], [], ["first"], 7)

    def test_a_model_is_validated_and_has_its_own_defaults_first(self) -> None:
        assert begun(flow_of(state=Model), {"files": ["a"]}) == Model(theFiles=["a"], notes=[], count=7)
        with pytest.raises(pydantic.ValidationError):
            begun(flow_of(state=Model), {"files": ["a"], "count": 4})

    def test_a_dataclass_may_be_made_with_more_than_it_keeps(self) -> None:
        made = begun(flow_of(state=Made), {"size": 3})
        assert (made.notes, made.length) == ([], 3)

    def test_what_was_given_is_not_what_the_run_has(self) -> None:
        given: dict[str, Any] = {"files": ["a"]}
        begun(flow_of(), given)["files"].append("b")
        assert given == {"files": ["a"]}

    def test_a_state_of_the_flow_s_type_is_taken_as_it_is(self) -> None:
        data = Data(["a"])
        assert begun(flow_of(state=Data), data) is data

    @pytest.mark.parametrize("state", [State, Data, Model])
    def test_a_field_that_the_state_lacks_is_refused(self, state: type) -> None:
        with pytest.raises(FlowError, match="reviews has 'note'") as caught:
            begun(flow_of(state=state), {"files": [], "note": []})
        assert caught.value.hint == "is it 'notes'?"

    def test_a_state_of_another_type_is_refused(self) -> None:
        with pytest.raises(FlowError, match="begins with a State, and was given a Data"):
            begun(flow_of(), Data([]))
        with pytest.raises(FlowError, match="begins with a Data, and was given a Made"):
            begun(flow_of(state=Data), Made(1, []))
        with pytest.raises(FlowError, match="begins with a Model, and was given a list"):
            begun(flow_of(state=Model), ["a"])


def back(kind: Any, value: Any) -> Any:
    codec: Codec[Any] = Codec(kind)
    return codec.decode(codec.encode(value))


class TestTypesOfUpdates:
    @pytest.mark.parametrize("schema", [State, Data])
    def test_are_some_of_the_fields_or_none(self, schema: type) -> None:
        kind = update_type(schema)
        for update in (None, {}, {"notes": ["a"]}, {"notes": [], "count": 3}):
            assert back(kind, update) == update

    def test_are_those_of_the_fields(self) -> None:
        @dataclass
        class Own:
            seen: set[int]
            pairs: dict[int, tuple[str, Colour]]
            data: Data | None

        update = {"seen": {1, 2}, "pairs": {1: ("a", Colour.RED)}, "data": Data(["a"])}
        assert back(update_type(Own), update) == update

    def test_take_no_other_type_for_a_field(self) -> None:
        with pytest.raises(ContentError, match="notes"):
            back(update_type(State), {"notes": [Colour.RED]})
        with pytest.raises(ContentError):
            back(update_type(State), {"count": "many"})

    @pytest.mark.parametrize("value", [{"files": ["a"]}, {"unknown": [1, None]}, ["a"], "a", 3, True])
    def test_leave_it_to_the_fold_to_refuse_what_is_no_update(self, value: Any) -> None:
        got = back(update_type(State), value)
        assert got == value
        assert type(got) is type(value)

    def test_are_without_what_a_model_demands_of_a_whole_field(self) -> None:
        kind = update_type(Model)
        assert back(kind, {"count": -1, "files": ["a"]}) == {"count": -1, "files": ["a"]}

    def test_of_a_generic_state_are_those_that_it_was_given(self) -> None:
        update = {"files": [Colour.RED], "notes": [Colour.RED], "pairs": {"a": (Colour.RED, 1)}}
        assert back(update_type(Parcel[Colour]), update) == update
        assert back(update_type(Parcel[int]), {"notes": [1]}) == {"notes": [1]}
        with pytest.raises(ContentError):
            back(update_type(Parcel[int]), {"notes": ["a"]})

    def test_are_made_once(self) -> None:
        assert update_type(State) is update_type(State)

    def test_of_a_typed_dict_of_typing_are_readable_too(self) -> None:
        Plain = TypedDict("Plain", {"seen": set[int]})  # noqa: UP013 as it is with a name that no variable can have
        assert back(update_type(Plain), {"seen": {1}}) == {"seen": {1}}


class TestTypesOfHops:
    def test_are_declared_but_for_the_last(self) -> None:
        flow = flow_of(branch=(early, review))
        assert type_of(flow, flow.hops[0]) == list[str]
        assert type_of(flow, flow.hops[1]) == update_type(State)

    def test_must_be_declared(self) -> None:
        flow = flow_of(branch=(undeclared, review))
        with pytest.raises(JournalError, match="undeclared doesn't say what it returns"):
            type_of(flow, flow.hops[0])

    def test_the_last_one_need_not_declare_its_update(self) -> None:
        flow = flow_of(branch=undeclared)
        assert type_of(flow, flow.hops[0]) == update_type(State)

    def test_the_last_one_may_declare_fields_of_another_type_than_the_state_has(self) -> None:
        class Counted(typing_extensions.TypedDict, total=False):
            notes: set[str]

        async def count(item: str, _: State) -> Counted | None:
            return {"notes": {item}}

        count.__annotations__["return"] = Counted | None  # it is none of this module's names
        flow = flow_of(branch=count)
        update = {"notes": {"a"}, "count": 1}
        assert back(type_of(flow, flow.hops[0]), update) == update

    def test_a_state_as_the_declared_type_means_some_of_its_fields(self) -> None:
        async def some(item: str, _: State) -> State:
            return {"notes": [item], "files": []}

        flow = flow_of(branch=some)
        assert back(type_of(flow, flow.hops[0]), {"count": 1}) == {"count": 1}
