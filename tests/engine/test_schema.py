from __future__ import annotations

import gc
import operator
import subprocess
import sys
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import FrozenInstanceError, InitVar, dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, NotRequired, Required, TypedDict, TypeVar

import pydantic
import pytest
import typing_extensions
from typing_extensions import ReadOnly, TypeAliasType

from fanfold.engine.isolate import read_only
from fanfold.engine.reducers import Reducer, concat, keep_last, largest, total, union
from fanfold.engine.schema import Field, SchemaError, fields_of, replaced, schema_of, values_of

if TYPE_CHECKING:
    from decimal import Decimal

T = TypeVar("T")
Notes = TypeAliasType("Notes", Annotated[list[str], concat])


class Base(TypedDict, total=False):
    notes: Required[Annotated[list[str], concat]]
    count: Annotated[NotRequired[int], total]


class Derived(Base):
    question: str
    best: Annotated[float | None, "a score", largest, "from 0 to 1"]


class ExtendedDict(typing_extensions.TypedDict):
    config: ReadOnly[dict[str, str]]
    notes: Annotated[ReadOnly[list[str]], concat]
    free: list[str]
    marked: Annotated[list[str], concat, read_only]


class GenericDict(TypedDict, Generic[T]):
    found: Annotated[list[T], concat]


@dataclass
class Data:
    kinds: ClassVar[list[str]] = []
    seed: InitVar[int] = 0
    notes: Annotated[list[str], operator.add] = field(default_factory=list)
    plain: int = 0


@dataclass(frozen=True)
class FrozenData:
    notes: Annotated[tuple[str, ...], concat] = ()
    derived: int = field(init=False, default=7)
    plain: int = 0

    def __post_init__(self) -> None:
        if self.plain < 0:
            raise ValueError("plain is at least 0")


class Model(pydantic.BaseModel):
    notes: Annotated[list[str], operator.add, pydantic.Field(max_length=9)] = []
    seen: Annotated[set[int], union] = pydantic.Field(default_factory=set, alias="Seen")
    plain: int = 0
    _hidden: int = pydantic.PrivateAttr(1)


class FrozenModel(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="allow")

    notes: list[str] = []
    begin: int = 0
    end: int = 1

    @pydantic.model_validator(mode="after")
    def _is_ordered(self) -> FrozenModel:
        if self.begin > self.end:
            raise ValueError("begin is after end")
        return self


def reducers(schema: type) -> dict[str, Reducer[Any] | None]:
    return {name: field.reducer for name, field in fields_of(schema).items()}


def test_a_typed_dict_declares_reducers_for_inherited_and_optional_fields() -> None:
    assert reducers(Derived) == {"notes": concat, "count": total, "question": None, "best": largest}
    assert fields_of(Derived)["count"].type is int


def test_a_read_only_field_is_known_whichever_way_round_it_is_written() -> None:
    found = fields_of(ExtendedDict)

    assert {name for name, field in found.items() if field.read_only} == {"config", "notes", "marked"}
    assert found["notes"].reducer is found["marked"].reducer is concat


def test_a_generic_schema_has_the_fields_of_its_origin() -> None:
    assert fields_of(GenericDict[int]) is fields_of(GenericDict)
    assert reducers(GenericDict) == {"found": concat}


def test_a_dataclass_declares_its_fields_and_nothing_else() -> None:
    assert list(fields_of(Data)) == ["notes", "plain"]
    assert [reducer and reducer.name for reducer in reducers(Data).values()] == ["add", None]


def test_a_pydantic_model_declares_its_fields_by_name() -> None:
    found = fields_of(Model)

    assert list(found) == ["notes", "seen", "plain"]
    assert found["notes"].reducer is not None
    assert found["notes"].reducer.function is operator.add
    assert found["seen"].reducer is union


def test_a_reducer_in_an_annotation_changes_nothing_of_what_a_model_takes() -> None:
    class Plain(pydantic.BaseModel):
        notes: list[str] = []

    class WithReducer(pydantic.BaseModel):
        notes: Annotated[list[str], concat] = []

    assert WithReducer(notes=["a"]).notes == ["a"]
    assert WithReducer.model_json_schema()["properties"] == Plain.model_json_schema()["properties"]


def test_an_alias_is_read_through() -> None:
    @dataclass
    class Local:
        notes: Notes

    assert reducers(Local) == {"notes": concat}
    assert fields_of(Local)["notes"].type == list[str]


def with_a_default(left: list[str], right: list[str], sort: bool = False) -> list[str]:
    return sorted(left + right) if sort else left + right


def of_three(left: int, middle: int, right: int) -> int:
    return left + middle + right


def multiply(left: int, right: int) -> int:
    return left * right


def test_the_last_callable_of_two_values_counts() -> None:
    class Schema(TypedDict):
        last: Annotated[list[str], keep_last, concat]
        outer: Annotated[Annotated[list[str], keep_last], concat]
        around: Annotated[Required[Annotated[list[str], keep_last]], concat]
        marked: Annotated[list[str], concat, pydantic.Field(title="x"), "text", int]
        optional: Annotated[list[str], with_a_default]

    found = reducers(Schema)

    assert found["last"] == found["outer"] == found["around"] == found["marked"] == concat
    assert found["optional"] == Reducer(with_a_default)


@pytest.mark.parametrize("function", [len, lambda left: left, of_three])
def test_a_function_that_takes_no_two_values_is_refused(function: Any) -> None:
    class Schema(TypedDict):
        notes: object

    Schema.__annotations__["notes"] = Annotated[list[str], function]

    with pytest.raises(SchemaError, match=r"Schema\.notes: .* is no reducer"):
        fields_of(Schema)


@pytest.mark.parametrize(
    ("kind", "starts_as"),
    [
        (list[str], []),
        (dict, {}),
        (set[int], set()),
        (frozenset[int], frozenset()),
        (tuple[int, ...], ()),
        (str, ""),
        (deque[int], deque()),
        (Sequence[int], []),
        (Mapping[str, int], {}),
    ],
)
def test_a_container_that_the_state_lacks_starts_empty(kind: Any, starts_as: object) -> None:
    class Schema(TypedDict):
        held: object

    Schema.__annotations__["held"] = Annotated[kind, with_a_default]

    start = fields_of(Schema)["held"].start

    assert start is not None
    assert start() == starts_as


def test_anything_else_that_the_state_lacks_starts_with_its_first_update() -> None:
    class Schema(TypedDict):
        product: Annotated[int, multiply]
        shortest: Annotated[list[int], Reducer(min, start=None)]
        ones: Annotated[int, Reducer(multiply, start=lambda: 1)]
        none: list[str]

    found = fields_of(Schema)

    assert [found[name].start for name in ("product", "shortest", "none")] == [None, None, None]
    assert found["ones"].start is not None
    assert found["ones"].start() == 1


def test_fields_are_read_once_for_each_type_and_kept_no_longer_than_it() -> None:
    @dataclass
    class Local:
        plain: int

    assert fields_of(Local) is fields_of(Local)

    gone = weakref.ref(Local)
    del Local
    gc.collect()
    assert gone() is None


def test_the_fields_can_not_be_changed() -> None:
    with pytest.raises(TypeError):
        fields_of(Base)["more"] = Field("more", int)  # type: ignore[index]


@pytest.mark.parametrize("schema", [dict, int, dict[str, int], "Base", None, list[int]])
def test_what_is_no_schema_is_refused(schema: Any) -> None:
    with pytest.raises(SchemaError, match="is no schema of a state"):
        fields_of(schema)


def test_names_that_exist_for_type_checkers_alone_are_told() -> None:
    @dataclass
    class Local:
        price: Decimal

    with pytest.raises(SchemaError, match="'Decimal' is not defined") as caught:
        fields_of(Local)
    assert caught.value.hint is not None
    assert "TYPE_CHECKING" in caught.value.hint


def test_a_model_that_is_not_complete_is_refused() -> None:
    class Local(pydantic.BaseModel):
        price: Decimal

    with pytest.raises(SchemaError, match="not defined yet"):
        fields_of(Local)


def test_a_state_is_a_dict_a_dataclass_or_a_model() -> None:
    assert schema_of({}) is None
    assert schema_of(Data()) is Data
    assert schema_of(Model()) is Model
    with pytest.raises(SchemaError, match="a list is no state"):
        schema_of([])
    with pytest.raises(SchemaError, match="a type is no state"):
        schema_of(Data)


def test_values_of_every_kind_of_state() -> None:
    assert values_of({"a": 1}) == {"a": 1}
    assert values_of(Data(notes=["a"])) == {"notes": ["a"], "plain": 0}
    assert values_of(Model(Seen={1})) == {"notes": [], "seen": {1}, "plain": 0}
    assert values_of(FrozenModel.model_validate({"more": 1})) == {"notes": [], "begin": 0, "end": 1, "more": 1}


def test_replacing_values_leaves_the_given_state_as_it_was() -> None:
    given: list[Any] = [{"a": 1}, Data(), FrozenData(), Model(), FrozenModel()]
    names = ["a", "plain", "plain", "plain", "end"]

    for state, name in zip(given, names, strict=True):
        before = values_of(state)
        made = replaced(state, {name: 5})

        assert type(made) is type(state)
        assert values_of(made) == {**before, name: 5}
        assert values_of(state) == before


def test_a_frozen_dataclass_is_made_through_its_constructor() -> None:
    made = replaced(FrozenData(), {"derived": 8, "plain": 1})

    assert (made.derived, made.plain) == (8, 1)
    with pytest.raises(FrozenInstanceError):
        made.plain = 2  # type: ignore[misc]
    with pytest.raises(ValueError, match="at least 0"):
        replaced(FrozenData(), {"plain": -1})


def test_a_model_is_validated_whole_so_that_fields_may_change_together() -> None:
    assert replaced(FrozenModel(), {"begin": 5, "end": 6}).end == 6
    with pytest.raises(pydantic.ValidationError, match="begin is after end"):
        replaced(FrozenModel(), {"begin": 5})
    assert replaced(FrozenModel(), {"begin": 5}, validate=False).begin == 5


def test_a_model_keeps_what_was_set_its_private_attributes_and_extra_values() -> None:
    model = Model(plain=1)
    model._hidden = 9
    extended = FrozenModel.model_validate({"more": 1})

    made = replaced(model, {"seen": {1}})

    assert (made.plain, made.seen, made._hidden) == (1, {1}, 9)
    assert made.model_fields_set == {"plain", "seen"}
    assert replaced(extended, {"end": 2}).model_extra == {"more": 1}


def test_reading_schemas_needs_no_pydantic() -> None:
    code = (
        "import sys, fanfold.engine.schema, fanfold.engine.fold, fanfold.engine.merge; print('pydantic' in sys.modules)"
    )

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout == "False\n"


class TestAReducerByItsFieldsOwnName:
    """Within a class body the name stands for the field's default already, once the annotation is read."""

    @staticmethod
    def declared(body: str) -> Any:
        """The class S, in a module whose annotations are read at once: unlike this one's."""
        source = f"""
from dataclasses import dataclass, field
from typing import Annotated
from pydantic import BaseModel
from fanfold.engine.reducers import total
{body}
"""
        space: dict[str, Any] = {"__name__": __name__}
        exec(compile(source, "declared", "exec", dont_inherit=True), space)
        return space["S"]

    @pytest.mark.parametrize(
        "body",
        [
            "@dataclass\nclass S:\n    total: Annotated[int, total] = 10",
            "@dataclass(slots=True)\nclass S:\n    total: Annotated[int, total] = 10",
            "@dataclass\nclass S:\n    total: Annotated[list[str], total] = field(default_factory=list)",
            "@dataclass\nclass S:\n    total: Annotated[str, total] = ''",
            "@dataclass\nclass S:\n    total: Annotated[int | None, total] = None",
            "@dataclass\nclass A:\n    total: Annotated[int, total] = 10\n@dataclass\nclass S(A):\n    n: int = 0",
            "class S(BaseModel):\n    total: Annotated[int, total] = 10",
        ],
    )
    def test_is_refused_where_a_default_hides_it(self, body: str) -> None:
        with pytest.raises(SchemaError, match=r"total has its own default where its reducer belongs") as caught:
            fields_of(self.declared(body))
        assert "`reducers.total`" in str(caught.value.hint)

    @pytest.mark.parametrize(
        "body",
        [
            "@dataclass\nclass S:\n    total: Annotated[int, total]",
            "@dataclass\nclass S:\n    total: 'Annotated[int, total]' = 10",
            "class S(BaseModel):\n    total: Annotated[int, total]",
        ],
    )
    def test_is_a_reducer_where_none_does(self, body: str) -> None:
        assert reducers(self.declared(body)) == {"total": total}

    def test_isnt_suspected_where_a_word_about_a_field_is_its_default_too(self) -> None:
        schema = self.declared(
            "@dataclass\nclass S:\n    kind: Annotated[str, 'draft'] = 'draft'\n    n: Annotated[int, 3] = 4"
        )
        assert reducers(schema) == {"kind": None, "n": None}
