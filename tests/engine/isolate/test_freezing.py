"""What a snapshot takes: which values are shared, copied or refused, and what a view of each kind is."""

from __future__ import annotations

import asyncio
import datetime as dt
import decimal
import enum
import pathlib
import re
import sys
import threading
import types
import uuid
import weakref
import zoneinfo
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Generic, NamedTuple, TypeVar

import pytest
from pydantic import BaseModel, ConfigDict, PrivateAttr
from pydantic.dataclasses import dataclass as pydantic_dataclass

from fanfold.engine.isolate import Freezer, Frozen, IsolationError, freeze

T = TypeVar("T")


class Color(enum.Enum):
    RED = 1


class Level(enum.IntFlag):
    LOW = 1


class Text(str):
    __slots__ = ()


class Noted(str):  # noqa: SLOT000 that is what is tried
    """Has room for attributes, which can change."""

    notes: list[int]

    def __repr__(self) -> str:
        return f"{self} {self.notes}"


@dataclass(frozen=True)
class Point:
    x: int
    at: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Slim:
    x: int
    deep: Point = Point(1)


class Pair(NamedTuple):
    one: Any
    two: Any = 2


SHARED = [
    *(1, 2**70, 1.5, 1j, True, None, "text", b"bytes", ..., NotImplemented, range(3), Text("text"), object()),
    *(Color.RED, Level.LOW, int, Color, BaseModel, list[int], int | str, len, freeze, types, (1, "a", (2.5,))),
    *(frozenset({1, (2, 3)}), Point(1, (2,)), Slim(1), (Point(1), Slim(2)), Pair(1), Pair((1, Color.RED)), ()),
    *(dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.date(2020, 1, 1), dt.timedelta(1)),
    *(decimal.Decimal("1.5"), uuid.UUID(int=1), pathlib.Path("a"), pathlib.PurePosixPath("a"), re.compile("a")),
    *(zoneinfo.ZoneInfo("UTC"), "a" * 10_000, sys.maxsize),
]


@pytest.mark.parametrize("value", SHARED, ids=lambda it: type(it).__name__)
def test_what_never_changes_is_shared(value: object) -> None:
    assert freeze(value).view() is value
    assert freeze([value]).view()[0] is value
    assert freeze({"a": [value]}).view()["a"][0] is value
    assert freeze((value, [])).view()[0] is value


def an_object(**attributes: Any) -> Any:
    return types.SimpleNamespace(**attributes)


def noted() -> Noted:
    made = Noted("a")
    made.notes = [1]
    return made


COPIED: list[tuple[Any, Callable[[Any], object]]] = [
    (deque([[1]]), lambda it: it[0].append(2)),
    (defaultdict(list, a=[1]), lambda it: it["b"].append(2)),
    (OrderedDict(a=[1]), lambda it: it.move_to_end("a") or it["a"].append(2)),
    (Counter("aab"), lambda it: it.update("b")),
    (bytearray(b"a"), lambda it: it.extend(b"b")),
    (an_object(a=[1]), lambda it: it.a.append(2)),
    ({1, 2}, lambda it: it.add(3)),
    (noted(), lambda it: it.notes.append(2)),
    (partial(print, [1]), lambda it: it.args[0].append(2)),
    (Pair([1]), lambda it: it.one.append(2)),
    (([1], 2), lambda it: it[0].append(2)),
    (ValueError([1]), lambda it: it.args[0].append(2)),
    ({an_object: [1]}, lambda it: it[an_object].append(2)),
    (types.MappingProxyType({"a": [1]}), lambda it: it["a"].append(2)),
]


@pytest.mark.parametrize(("value", "change"), COPIED, ids=lambda it: getattr(type(it), "__name__", ""))
@pytest.mark.parametrize(
    ("wrap", "inner"),
    [
        (lambda it: it, lambda it: it),
        (lambda it: [it], lambda it: it[0]),
        (lambda it: {"a": {"b": it}}, lambda it: it["a"]["b"]),
        (lambda it: (it, [it]), lambda it: it[1][0]),
    ],
)
def test_what_can_change_is_each_branchs_own(
    value: Any, change: Callable[[Any], object], wrap: Callable[[Any], Any], inner: Callable[[Any], Any]
) -> None:
    wrapped = wrap(value)
    before = repr(wrapped)
    base = freeze(wrapped)
    view, sibling = base.view(), base.view()
    assert isinstance(inner(view), type(value))
    change(inner(view))
    assert repr(view) != before
    assert repr(sibling) == repr(base.view()) == repr(wrapped) == before


@dataclass
class Normal:
    items: list[int]
    name: str = ""


@dataclass(slots=True)
class Slotted:
    items: list[int]


@dataclass(slots=True)
class Unset:
    items: list[int]
    later: int = field(init=False)


@dataclass(frozen=True)
class Sealed:
    items: list[int]


@dataclass(frozen=True, slots=True)
class SealedSlots:
    items: list[int]


@dataclass
class Later:
    items: list[int]
    made: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.made = [1]
        self.calls = [1]


@dataclass
class Base:
    items: list[int]


@dataclass
class Derived(Base):
    more: list[int] = field(default_factory=list)


@dataclass
class Box(Generic[T]):
    items: T


@pydantic_dataclass
class Checked:
    items: list[int]


class Model(BaseModel):
    items: list[int]


class Rich(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)
    items: list[int]
    _log: list[int] = PrivateAttr(default_factory=list)


class Parent(BaseModel, Generic[T]):
    items: T
    others: list[Model] = []


RECORDS: list[Callable[[list[int]], Any]] = [
    *(Normal, Slotted, Sealed, SealedSlots, Later, Derived, Box[list[int]], Checked),
    *(lambda items: Model(items=items), lambda items: Rich.model_validate({"items": items, "extra": [1]})),
    lambda items: Parent[list[int]](items=items, others=[Model(items=[1])]),
]


@pytest.mark.parametrize("make", RECORDS)
def test_objects_with_fields_come_as_their_own_type(make: Callable[[list[int]], Any]) -> None:
    original = make([1])
    base = freeze(original)
    view = base.view()
    assert type(view) is type(original)
    assert view == original
    assert repr(view) == repr(original)
    view.items.append(2)
    assert base.view() == original == make([1]) != view


@pytest.mark.parametrize("make", RECORDS)
def test_objects_with_fields_keep_their_type_inside_containers(make: Callable[[list[int]], Any]) -> None:
    base = freeze({"all": [make([1])]})
    view = base.view()
    assert type(view["all"][0]) is type(make([1]))
    assert view["all"][0] is view["all"][0]
    view["all"][0].items.append(2)
    assert base.view() == {"all": [make([1])]} != view


def test_attributes_beyond_the_fields_are_isolated_too() -> None:
    base = freeze(Later([1]))
    view = base.view()
    view.calls.append(2)
    view.made.append(2)
    assert (base.view().calls, base.view().made) == ([1], [1])


def test_an_unset_slot_stays_unset() -> None:
    assert not hasattr(freeze(Unset([1])).view(), "later")


def test_all_of_a_model_is_isolated() -> None:
    original = Rich.model_validate({"items": [1], "more": [1]})
    base = freeze(original)
    view = base.view()
    view.items.append(2)
    view._log.append(2)
    view.model_extra["more"].append(2)  # type: ignore[index]
    view.model_fields_set.add("other")
    view.__dict__["items"] = None
    again = base.view()
    assert (again.items, again._log, again.model_extra) == ([1], [], {"more": [1]})
    assert again.model_fields_set == original.model_fields_set == {"items", "more"}


def test_a_model_still_validates_what_is_assigned() -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(validate_assignment=True)
        n: int

    view = freeze(Strict(n=1)).view()
    with pytest.raises(ValueError, match="valid integer"):
        view.n = "x"  # type: ignore[assignment]
    view.n = 2
    assert view.n == 2


def test_freezing_runs_no_code_of_the_class() -> None:
    @dataclass
    class Touchy:
        items: list[int]

        def __post_init__(self) -> None:
            raise AssertionError

        def __init_subclass__(cls) -> None:
            raise AssertionError

        def __setattr__(self, name: str, value: object) -> None:
            raise AssertionError

        def __eq__(self, _: object) -> bool:
            raise AssertionError

        __hash__ = None  # type: ignore[assignment]

    original = object.__new__(Touchy)
    original.__dict__["items"] = [1]
    view = freeze([original]).view()
    view[0].items.append(2)
    assert original.items == [1]


@dataclass(frozen=True)
class Cached:
    words: tuple[str, ...]

    @cached_property
    def upper(self) -> list[str]:
        return [word.upper() for word in self.words]


@dataclass(frozen=True)
class Memo:
    n: int

    def log(self) -> list[int]:
        if "seen" not in self.__dict__:
            object.__setattr__(self, "seen", [])
        found: list[int] = self.__dict__["seen"]
        return found


def test_a_frozen_dataclass_that_fills_in_later_is_not_shared() -> None:
    cached, memo = freeze(Cached(("a",))), freeze([Memo(1)])
    cached.view().upper.append("B")
    memo.view()[0].log().append(1)
    assert cached.view().upper == ["A"]
    assert memo.view()[0].log() == []


@dataclass
class Careful:
    """Says itself how it is copied."""

    items: list[int]
    copied: bool = False

    def __deepcopy__(self, memo: dict[int, Any]) -> Careful:
        return Careful(list(self.items), copied=True)


def test_a_class_that_says_how_it_is_copied_is_copied_so() -> None:
    view = freeze([Careful([1])]).view()
    assert view[0].copied


def test_one_object_reached_by_two_ways_stays_one() -> None:
    shared = [1]
    value = {
        "list": [shared, shared],
        "object": Normal(shared),
        "model": an_object(a=1),
        "pair": (shared, {"in": shared}),
    }
    view = freeze(value).view()
    view["list"][0].append(2)
    assert view["list"][1] == view["object"].items == view["pair"][0] == view["pair"][1]["in"] == [1, 2]
    assert view["object"].items is view["list"][0]


def test_fields_of_one_object_may_hold_one_list() -> None:
    shared = [1]
    view = freeze(Derived(shared, shared)).view()
    assert view.items is view.more


@pytest.mark.parametrize("order", [1, -1])
def test_a_list_inside_a_copied_object_and_outside_stays_one(order: int) -> None:
    shared = [1]
    parts = [("copied", an_object(a=shared)), ("outside", {"deep": [shared]})][::order]
    view = freeze(dict(parts)).view()
    view["copied"].a.append(2)
    assert view["outside"]["deep"][0] is view["copied"].a


def test_two_copied_objects_may_share_a_third() -> None:
    third = an_object(n=1)
    view = freeze({"one": an_object(a=third), "two": deque([third])}).view()
    assert view["one"].a is view["two"][0] is not third


def test_cycles_lead_back_to_the_branchs_own() -> None:
    value: dict[str, Any] = {"list": []}
    value["list"].append(value)
    value["tuple"] = (value["list"],)
    value["list"].append(value["tuple"])
    base = freeze(value)
    view = base.view()
    assert view["list"][0] is view
    assert view["list"][1] is view["tuple"]
    assert view["tuple"][0] is view["list"]
    view["list"].append(1)
    assert len(base.view()["list"]) == 2


def test_objects_may_lead_back_to_themselves() -> None:
    one, two = Normal([]), Normal([])
    one.name, two.name = two, one  # type: ignore[assignment]
    view = freeze(one).view()
    assert view.name.name is view  # type: ignore[attr-defined]
    assert view.name is not two


def test_a_proxy_shows_what_it_showed() -> None:
    inside: dict[str, Any] = {"a": 1}
    proxy = types.MappingProxyType(inside)
    base: Frozen[Any] = freeze([proxy, proxy])
    inside["a"] = 2
    assert base.view() == [{"a": 1}, {"a": 1}]
    assert base.view()[0] is base.view()[1]
    again: Any = freeze([types.MappingProxyType({"a": proxy, "b": [proxy]})]).view()
    assert again[0]["a"] is again[0]["b"][0]


def test_shared_tuples_are_walked_once() -> None:
    value: Any = ("end",)
    for _ in range(200):
        value = (value, value)
    assert freeze(value).view() is value


class Holder:
    def __init__(self, inside: object) -> None:
        self.inside = inside


class Slots:
    __slots__ = ("inside",)

    def __init__(self, inside: object) -> None:
        self.inside = inside


LOCK = threading.Lock()
REFUSED: list[tuple[Any, str]] = [
    (LOCK, "the value can't"),
    ({"config": {"lock": LOCK}}, r"the value: \['config'\]\['lock'\] can't"),
    ([0, {"a": (1, LOCK)}], r"the value: \[1\]\['a'\]\[1\] can't"),
    (Normal([LOCK]), r"the value: \.items\[0\] can't"),  # type: ignore[list-item]
    (Slotted([1, LOCK]), r"the value: \.items\[1\] can't"),  # type: ignore[list-item]
    (Rich.model_validate({"items": [1], "lock": LOCK}), r"the value: \.__pydantic_extra__\['lock'\] can't"),
    (Pair(1, LOCK), r"the value: \[1\] can't"),
    ({"holder": Holder({"deep": [Slots(LOCK)]})}, r"\['holder'\]\.inside\['deep'\]\[0\]\.inside can't"),
    ({"queue": deque([1, LOCK])}, r"\['queue'\]\[1\] can't"),
    ({1: (each for each in "a")}, r"\[1\] can't be copied: TypeError: cannot pickle 'generator' object"),
    ({"known": weakref.WeakValueDictionary()}, r"\['known'\] can't be copied"),
    ([weakref.ref(Holder)], r"\[0\] can't be copied: a ReferenceType leads to an object that stays shared"),
    ({Holder(LOCK)}, "can't be copied: TypeError"),
    ({"a": {Slots(LOCK): 1}}, r"\['a'\].* can't be copied: TypeError"),
]


@pytest.mark.parametrize(("value", "message"), REFUSED)
def test_what_cannot_be_copied_is_refused_with_the_path_to_it(value: object, message: str) -> None:
    with pytest.raises(IsolationError, match=message) as caught:
        freeze(value)
    assert caught.value.hint


def test_a_refusal_names_the_item() -> None:
    with pytest.raises(IsolationError, match=r"^item 'a': \.items\[0\] can't be copied: TypeError: cannot pickle"):
        Freezer().freeze(Normal([LOCK]), key="a")  # type: ignore[list-item]
    with pytest.raises(IsolationError, match=r"^the state: \[0\] can't"):
        freeze([LOCK], name="the state")


def test_a_freezer_forgets_what_it_could_not_freeze() -> None:
    freezer, shared = Freezer(), [[1]]
    with pytest.raises(IsolationError):
        freezer.freeze([shared, {"shared": shared, "lock": LOCK}])
    view = freezer.freeze({"shared": shared}).view()
    view["shared"][0].append(2)
    assert shared == [[1]]


def test_what_is_nested_too_deeply_is_refused() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(IsolationError, match="nested too deeply"):
        freeze(value)
    while value:
        value = value.pop()


def test_an_asyncio_task_is_refused() -> None:
    async def run() -> None:
        task = asyncio.current_task()
        with pytest.raises(IsolationError, match=r"\['task'\] can't be copied"):
            freeze({"task": task})

    asyncio.run(run())


def test_a_snapshot_is_not_changed_by_what_happens_to_the_original() -> None:
    value: Any = {"list": [1, [2]], "object": Normal([1]), "set": {1}, "queue": deque([1])}
    base = freeze(value)
    value["list"][1].append(3)
    value["object"].items.append(2)
    value["set"].add(2)
    value["queue"].append(2)
    value["new"] = []
    assert base.view() == {"list": [1, [2]], "object": Normal([1]), "set": {1}, "queue": deque([1])}


def test_values_frozen_together_share_what_they_have_in_common() -> None:
    state: Any = {"records": [{"n": n} for n in range(1_000)]}
    freezer = Freezer()
    roots = [freezer.freeze((n, state))._root for n in range(3)]
    assert roots[0][1] is roots[1][1] is roots[2][1]
    one, two = (freezer.freeze({"state": state, "own": [n]}).view() for n in (1, 2))
    one["state"]["records"][0]["n"] = "changed"
    assert two["state"]["records"][0] == {"n": 0}


def test_an_id_that_is_used_again_is_no_object_met_before() -> None:
    freezer = Freezer()
    for n in range(200):
        shared = [n]
        view = freezer.freeze({"one": shared, "two": shared}).view()
        assert view == {"one": [n], "two": [n]}
        del shared, view


def test_an_untouched_view_freezes_to_its_base_and_costs_nothing() -> None:
    base: Frozen[Any] = freeze({"records": [{"n": [n]} for n in range(1_000)], "more": {"a": [1]}})
    view = base.view()
    assert freeze(view)._root is base._root
    assert freeze((1, view))._root[1] is base._root
    view["more"]["a"].append(2)
    again = freeze(view)
    assert again._root is not base._root
    assert again._root["records"] is base._root["records"]


def test_an_untouched_view_with_aliases_freezes_to_its_base() -> None:
    shared: Any = [1, [2]]
    base: Frozen[Any] = freeze({"a": shared, "b": {"in": shared}})
    view = base.view()
    assert view["a"][0] == 1
    assert freeze(view)._root is base._root
    view["a"].append(3)
    again = freeze(view).view()
    assert again["b"]["in"] == [1, [2], 3]
    assert again["a"] is again["b"]["in"]


def test_two_views_of_one_base_are_two_objects() -> None:
    base, shared = freeze({"list": [[1]]}), [0]
    view: Any = freeze({"one": base.view(), "two": base.view(), "x": shared, "y": shared}).view()
    view["one"]["list"][0].append(2)
    assert view["two"] == {"list": [[1]]}
    assert view["x"] is view["y"]
