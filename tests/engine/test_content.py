from __future__ import annotations

import datetime as dt
import enum
import math
import os
import re
import subprocess
import sys
import threading
import typing
import uuid
import zoneinfo
from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path, PurePosixPath
from types import MappingProxyType, SimpleNamespace
from typing import Annotated, Any, Generic, NamedTuple, TypeVar, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, PrivateAttr, SecretStr, computed_field
from typing_extensions import TypedDict

from fanfold.engine.content import MISSING, Codec, ContentError, Difference, content_hash, first_difference
from fanfold.engine.isolate import freeze, read_only

T = TypeVar("T")


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Level(enum.IntEnum):
    LOW = 1


class Right(enum.Flag):
    READ = 1
    WRITE = 2


@dataclass(frozen=True)
class Finding:
    path: str
    line: int = 0
    seen: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Slotted:
    path: str
    line: int = 0


@dataclass
class Marked(list[int]):
    mark: str = ""


class Point(NamedTuple):
    x: int
    y: int


class Model(BaseModel):
    name: str
    tags: set[str] = set()
    anything: Any = None
    _note: Any = PrivateAttr(default=None)


class Sub(Model):
    more: int = 0


class Extra(BaseModel, extra="allow"):
    pass


class Movie(TypedDict):
    title: str
    year: int


class Text(str):  # noqa: SLOT000  its attributes count
    pass


class Named(SimpleNamespace):
    pass


class Opaque:
    pass


def function(text: str = "") -> str:
    """Something to refer to."""
    return text


UTC_NOON = dt.datetime(2025, 10, 26, 12, tzinfo=dt.UTC)
OSLO = zoneinfo.ZoneInfo("Europe/Oslo")

NAIVE_NOON = UTC_NOON.replace(tzinfo=None)
HOUR = dt.timezone(dt.timedelta(hours=1))


def different() -> list[object]:
    """Contents that all differ, of new objects at each call where objects are made."""
    return [
        *(1, 1.0, True, "1", b"1", bytearray(b"1"), 1 + 0j, None, "None", ..., 0, 0.0, -0.0, "", b"", math.nan),
        *(math.inf, -math.inf, 10**5_000, Decimal("1.0"), Decimal("1.00"), Decimal("NaN"), Fraction(1, 3), Fraction(1)),
        *([], (), {}, set(), frozenset(), deque(), deque(maxlen=3), OrderedDict(), defaultdict(list), Counter()),
        *(MappingProxyType({}), [1, 2], [2, 1], [[1], 2], [1, [2]], ["1", "2"], ["12"], (1, 2), Point(1, 2), {1, 2}),
        *(frozenset({1, 2}), range(1, 2), slice(1, 2), {"a": 1, "b": 2}, {"a": 2, "b": 1}, {"a": {"b": 1}}),
        *(OrderedDict(a=1, b=2), OrderedDict(b=2, a=1), Counter("a"), {1: "a"}, {True: "a"}, {1.0: "a"}, {"1": "a"}),
        *({"a": None}, SimpleNamespace(a=1), Named(a=1), Colour.RED, Colour.BLUE, Level.LOW),
        *(Right.READ, Right.READ | Right.WRITE),
        *(Finding("a"), Finding("b"), Finding("a", 1), Slotted("a"), Slotted("b"), Model(name="a"), Model(name="b")),
        *(Sub(name="a"), Model(name="a", anything=1), noted("x"), Extra(), extra(1), extra(2), Text("1")),
        *(attributed(Text("1"), a=1), marked([1], "a"), marked([1], "b"), marked([2], "a"), Path("a")),
        *(PurePosixPath("a"), uuid.UUID(int=1), dt.date(2025, 1, 1), dt.time(1), dt.timedelta(1), dt.UTC, OSLO, HOUR),
        *(UTC_NOON, NAIVE_NOON, UTC_NOON.replace(fold=1), UTC_NOON.astimezone(OSLO), UTC_NOON.astimezone(HOUR)),
        *(re.compile("a"), re.compile(b"a"), re.compile("a", re.IGNORECASE), int, Finding, function, re, len),
        *(partial(function), partial(function, "a"), "\ud800", "\u00e9", "e\u0301", Finding("a").__eq__),
    ]


def extra(value: int) -> Extra:
    return Extra.model_validate({"a": value})


def noted(note: object) -> Model:
    model = Model(name="a")
    model._note = note
    return model


def marked(values: list[int], mark: str) -> Marked:
    made = Marked(mark)
    made.extend(values)
    return made


def attributed(value: T, **attributes: object) -> T:
    vars(value).update(attributes)
    return value


def test_different_contents_have_different_hashes() -> None:
    hashes = [content_hash(value) for value in different()]
    assert len(set(hashes)) == len(hashes)


def test_equal_contents_have_equal_hashes() -> None:
    for one, other in zip(different(), different(), strict=True):
        assert content_hash(one) == content_hash(other)
        assert content_hash([one]) == content_hash([other]) != content_hash(one)


PROGRAM = """
from test_content import content_hash, different
for value in different():
    print(content_hash(value))
print(content_hash({"x", "y", "z", 1, 2.5, None, ("a", "b")}))
"""


def test_hashes_are_the_same_in_every_process_and_for_every_hash_seed() -> None:
    def hashes(seed: str) -> str:
        paths = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
        settings = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": paths}
        done = subprocess.run([sys.executable, "-c", PROGRAM], env=settings, capture_output=True, text=True, check=True)
        return done.stdout

    first, *others = (hashes(seed) for seed in ("0", "1", "4242"))
    assert len(first.split()) == len(different()) + 1
    assert all(other == first for other in others)


def test_order_of_dicts_and_sets_is_no_content() -> None:
    assert content_hash({"a": 1, "b": 2}) == content_hash({"b": 2, "a": 1})
    assert content_hash({"aa", "b", "c"}) == content_hash({"c", "b", "aa"})
    assert first_difference({"a": 1, "b": 2}, {"b": 2, "a": 1}) is None


@dataclass
class Handed:
    given: Annotated[list[Any], read_only]
    own: dict[str, Any]


def views() -> list[object]:
    """What copy-on-write views are made of: plain containers, and what has to be copied among them."""
    return [
        *({"a": [1, [2]], "b": {"c": {1, 2}}}, [[[]], ({"a": 1}, [2])], Handed([1, {"a": [1]}], {"b": [2]})),
        *(Model(name="a", anything={"b": [1]}), Counter("aab"), marked([1], "a"), deque([[1]]), OrderedDict(a=[1])),
        {"a": deque([1]), "b": Counter("ab"), "c": marked([1], "a"), "d": bytearray(b"x")},
    ]


def test_views_are_what_they_stand_for() -> None:
    for value in views():
        untouched, read = freeze(value).view(), freeze(value).view()
        repr(read)
        for view in (untouched, read):
            assert content_hash(view) == content_hash(value)
            assert first_difference(view, value) is None


def test_a_changed_view_has_its_own_content() -> None:
    base = freeze({"a": [1, {"b": 2}]})
    view: Any = base.view()
    view["a"][1]["b"] = 3
    assert content_hash(view) == content_hash({"a": [1, {"b": 3}]})
    assert first_difference(base.view(), view) == Difference("['a'][1]['b']", 2, 3)


def test_views_are_written_as_what_they_stand_for() -> None:
    held = {"a": deque([1]), "b": deque([2])}
    codec: Codec[Any] = Codec(dict[str, deque[int]])
    assert codec.encode(freeze(held).view()) == codec.encode(held)
    plain = {"a": [1, [2]], "b": {"c": [{}]}}
    assert Codec[Any](Any).encode(freeze(plain).view()) == Codec[Any](Any).encode(plain)


def test_sharing_is_no_content() -> None:
    shared = [1]
    assert content_hash([shared, shared]) == content_hash([[1], [1]])


def test_every_nan_is_the_same() -> None:
    assert content_hash(math.nan) == content_hash(-math.nan) == content_hash(float("nan"))


def test_fields_that_do_not_compare_do_not_count() -> None:
    assert content_hash(Finding("a", seen=1)) == content_hash(Finding("a", seen=2))


def test_fields_set_of_a_model_do_not_count() -> None:
    assert content_hash(Model(name="a")) == content_hash(Model(name="a", anything=None))


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (Opaque(), ""),
        ([1, {"a": (Opaque(),)}], "at [1]['a'][0]"),
        (Model(name="a", anything={"b": threading.Lock()}), "at .anything['b']"),
        (Finding(Opaque()), "at .path"),  # type: ignore[arg-type]
        ({Opaque(): 1}, "at [<"),
        ({frozenset({Opaque()})}, "at {...}{...}"),
        ([lambda: 1], "at [0]"),
        ([len, iter([])], "at [1]"),
        (SimpleNamespace(a=object()), "at .a"),
    ],
)
def test_what_has_no_stable_content_is_refused_by_its_path(value: object, path: str) -> None:
    with pytest.raises(ContentError) as caught:
        content_hash(value)
    assert caught.value.message.endswith(path) or path in caught.value.message.removesuffix(">]")
    assert (": at " in caught.value.message) == bool(path)
    assert caught.value.hint


def test_local_functions_and_classes_are_refused_as_values() -> None:
    class Local:
        pass

    for value in (Local, lambda: 1):
        with pytest.raises(ContentError, match="can't be imported"):
            content_hash([value])


def test_what_holds_itself_is_refused_by_its_path() -> None:
    cycle, other = holding_itself(), holding_itself()
    with pytest.raises(ContentError, match=re.escape("holds itself or is nested too deeply")) as caught:
        content_hash(cycle)
    assert caught.value.message.endswith("at [1]['again']")
    with pytest.raises(ContentError, match="hold themselves"):
        first_difference(cycle, other)
    assert first_difference(cycle, cycle) is None


def holding_itself() -> list[object]:
    cycle: list[object] = [1]
    cycle.append({"again": cycle})
    return cycle


def test_what_is_nested_too_deeply_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(3_000):
        deep = [deep]
    with pytest.raises(ContentError, match="nested too deeply"):
        content_hash(deep)


LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.sampled_from(Colour)
    | st.datetimes(timezones=st.none() | st.timezones()) | st.decimals() | st.uuids()
)  # fmt: skip
KEYS = st.integers() | st.booleans() | st.text(max_size=3) | st.none() | st.tuples(st.integers())
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.tuples(inner, inner)
        | st.sets(KEYS, max_size=3)
        | st.builds(Slotted, inner, inner)
        | st.builds(Model, name=st.text(), anything=inner)
    ),
    max_leaves=12,
)


@given(VALUES, VALUES)
def test_hashes_are_equal_where_nothing_differs(left: object, right: object) -> None:
    assert (content_hash(left) == content_hash(right)) == (first_difference(left, right) is None)
    assert first_difference(left, left) is None


def shuffled(value: object) -> object:
    """The same content, of other objects and filled in another order."""
    if isinstance(value, dict):
        return {key: shuffled(part) for key, part in reversed(value.items())}
    if isinstance(value, set):
        other: set[object] = set()
        for part in sorted(value, key=repr, reverse=True):
            other.add(part)
        return other
    if type(value) in (list, tuple):
        parts = [shuffled(part) for part in cast("list[object]", value)]
        return parts if type(value) is list else tuple(parts)
    return value


@given(VALUES)
def test_hashes_do_not_see_order_or_identity(value: object) -> None:
    assert content_hash(shuffled(value)) == content_hash(value)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (1, 1.0, Difference("", 1, 1.0)),
        ({"a": [1, 2]}, {"a": [1, 3]}, Difference("['a'][1]", 2, 3)),
        ({"a": [1]}, {"a": [1, 3]}, Difference("['a'][1]", MISSING, 3)),
        ({"a": 1, "b": 2}, {"b": 2}, Difference("['a']", 1, MISSING)),
        ({"b": 2}, {"a": 1, "b": 2}, Difference("['a']", MISSING, 1)),
        ({1: "x"}, {True: "x"}, Difference("[1]", "x", MISSING)),
        ({1, 2}, {1, 3}, Difference("{...}", 2, MISSING)),
        (Model(name="a"), Model(name="b"), Difference(".name", "a", "b")),
        (Model(name="a"), Sub(name="a"), Difference("", Model(name="a"), Sub(name="a"))),
        ([Finding("a", 1)], [Finding("a", 2)], Difference("[0].line", 1, 2)),
        (marked([1], "a"), marked([2], "a"), Difference("[0]", 1, 2)),
        ([None], [], Difference("[0]", None, MISSING)),
    ],
)
def test_first_difference_says_where_and_what(left: object, right: object, expected: Difference) -> None:
    assert first_difference(left, right) == expected


def test_difference_reads_as_a_sentence() -> None:
    assert str(first_difference([{"a": 1}], [{"a": 2}])) == "[0]['a']: 1 became 2"
    assert str(first_difference([1], [])) == "[0]: 1 became nothing"
    assert str(first_difference(1, 2)) == "the value: 1 became 2"


def test_what_has_no_stable_content_is_compared_by_equality() -> None:
    lock = threading.Lock()
    assert first_difference([lock, 1], [lock, 1]) is None
    assert first_difference([lock, 1], [lock, 2]) == Difference("[1]", 1, 2)
    assert first_difference([Opaque()], [Opaque()]) is not None
    assert first_difference(SecretStr("a"), SecretStr("a")) is None
    assert first_difference(SecretStr("a"), SecretStr("b")) is not None


class Weather(BaseModel):
    at: dt.datetime
    where: Path = Field(alias="w", default=Path("/"))
    by_hour: dict[int, float] = {}
    pair: tuple[int, Colour] = (0, Colour.RED)
    words: frozenset[str] = frozenset()
    price: Decimal = Decimal("1.50")
    raw: bytes = b""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def hours(self) -> int:
        return len(self.by_hour)


class Page(BaseModel, Generic[T]):
    rows: list[T]


@pytest.mark.parametrize(
    ("of", "value"),
    [
        (Any, {"a": [1, 2.5, None, True, "x", -0.0, 10**30]}),
        (object, ["x"]),
        (int, 3),
        (tuple[int, ...], (1, 2)),
        (dict[int, str], {1: "a"}),
        (set[Colour], {Colour.RED, Colour.BLUE}),
        (Colour, Colour.RED),
        (Finding, Finding("a", 2)),
        (list[Slotted], [Slotted("a", 2)]),
        (Movie, {"title": "a", "year": 1}),
        (Weather, Weather(at=UTC_NOON, by_hour={1: 0.1}, pair=(1, Colour.BLUE), words=frozenset("ab"), raw=b"ab")),
        (Page[int], Page[int](rows=[1])),
        (int | str, "1"),
        (str | int, 1),
        (dt.datetime, UTC_NOON.replace(tzinfo=None)),
        (Path | None, None),
        (uuid.UUID, uuid.UUID(int=7)),
        (Point, Point(1, 2)),
        (Annotated[int, ["unhashable"]], 4),
    ],
)
def test_what_is_declared_comes_back_equal(of: Any, value: object) -> None:
    codec: Codec[object] = Codec(of)
    back = codec.decode(codec.encode(value))
    assert back == value
    assert type(back) is type(value)
    assert first_difference(value, back) is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(codec="utf-8")),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    )
)  # fmt: skip
def test_all_that_json_can_tell_comes_back_under_any(value: object) -> None:
    codec: Codec[Any] = Codec(Any)
    assert content_hash(codec.decode(codec.encode(value))) == content_hash(value)


@given(VALUES)
def test_encode_writes_nothing_that_comes_back_different(value: object) -> None:
    codec: Codec[Any] = Codec(Any)
    try:
        text = codec.encode(value)
    except ContentError:
        return
    assert content_hash(codec.decode(text)) == content_hash(value)


@pytest.mark.parametrize(
    ("of", "value", "path"),
    [
        (Any, {"a": (1, 2)}, "['a']"),
        (Any, {"a": {1: "b"}}, "['a'][1]"),
        (Any, [UTC_NOON], "[0]"),
        (Any, [Colour.RED], "[0]"),
        (Any, {"a": {1}}, "['a']"),
        (Any, Model(name="a"), "all of it"),
        (Any, [math.nan], "[0]"),
        (Any, [1, math.inf], "[1]"),
        (list[float], [1.0, math.inf], "[1]"),
        (Any, {"a": [object()]}, "['a'][0]"),
        (Any, {"a": [b"\xff"]}, "['a'][0]"),
        (Any, {"a": ["\ud800"]}, "['a'][0]"),
        (Any, {"a": {"b": Text("x")}}, "['a']['b']"),
        (Any, {"a": [10**5_000]}, ""),
        (int, "x", ""),
        (int, True, "all of it"),
        (list[int], ["1"], "[0]"),
        (Model, Sub(name="a", more=1), "all of it"),
        (list[Model], [Sub(name="a")], "[0]"),
        (Model, noted("lost"), "._note"),
        (Model, Model(name="a", anything=(1,)), ".anything"),
        (Weather, Weather(at=UTC_NOON.astimezone(OSLO)), ".at"),
        (dict[str, SecretStr], {"key": SecretStr("hunter2")}, "['key']"),
    ],
)
def test_what_would_not_come_back_equal_is_refused_by_its_path(of: Any, value: object, path: str) -> None:
    with pytest.raises(ContentError) as caught:
        Codec(of).encode(value)
    assert path in caught.value.message
    assert caught.value.hint
    assert "hunter2" not in caught.value.message


def test_what_holds_itself_is_not_written() -> None:
    cycle: dict[str, Any] = {}
    cycle["a"] = [cycle]
    with pytest.raises(ContentError, match="holds itself"):
        Codec[Any](Any).encode(cycle)


@pytest.mark.parametrize("text", ["", "x", '{"a": 1', '{"title": "a"}', '{"title": 1, "year": "x"}', "[]"])
def test_decoding_something_else_says_what_is_wrong(text: str) -> None:
    with pytest.raises(ContentError, match="no JSON of Movie"):
        Codec(Movie).decode(text)


def test_long_lists_of_reasons_are_cut() -> None:
    with pytest.raises(ContentError, match=r"; 7 more$"):
        Codec(list[int]).decode(str(["x"] * 10).replace("'", '"'))


def test_type_without_schema_is_refused() -> None:
    for of in (Opaque, list["Opaque | None"], list["Unknown"]):  # type: ignore[name-defined]  # noqa: F821
        with pytest.raises(ContentError, match="is no type that JSON can be read as"):
            Codec(of)


class StandardMovie(typing.TypedDict):
    title: str


def test_a_typed_dict_of_the_standard_library_is_refused_with_the_way_out_where_pydantic_reads_no_such() -> None:
    if sys.version_info >= (3, 12):
        assert Codec(StandardMovie).decode('{"title": "Up"}') == {"title": "Up"}
        return
    with pytest.raises(ContentError, match="StandardMovie is no type that JSON can be read as") as caught:
        Codec(StandardMovie)
    assert caught.value.hint == "import TypedDict from typing_extensions: pydantic reads no other before Python 3.12"


def test_importing_loads_no_pydantic_before_a_codec_is_made() -> None:
    program = "import sys, fanfold.engine.content as c; c.content_hash({'a': 1}); print('pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
