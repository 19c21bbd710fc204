"""What a snapshot takes: which values are shared, copied or refused, and what a view of each kind is."""

from __future__ import annotations

import asyncio
import contextvars
import datetime as dt
import decimal
import enum
import logging
import pathlib
import queue
import re
import sys
import threading
import types
import uuid
import weakref
import zoneinfo
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache, partial
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


def filled_in(target: object) -> list[int]:
    if not hasattr(target, "seen"):
        object.__setattr__(target, "seen", [])
    found: list[int] = vars(target)["seen"]
    return found


def passed_on(method: Callable[..., list[int]]) -> Callable[..., list[int]]:
    def call(self: object) -> list[int]:
        return method(self)

    return call


class Remembered:
    """A decorator that fills in an attribute."""

    def __get__(self, owner: object, _: type) -> Callable[[], list[int]]:
        return lambda: filled_in(owner)


set_attribute = object.__setattr__


@dataclass(frozen=True)
class ByProperty:
    n: int

    @property
    def seen_here(self) -> list[int]:
        return filled_in(self)

    log = property(lambda self: lambda: self.seen_here)


@dataclass(frozen=True)
class ByVars:
    n: int

    def log(self) -> list[int]:
        found: list[int] = vars(self).setdefault("seen", [])
        return found


@dataclass(frozen=True)
class ByName:
    n: int

    def log(self) -> list[int]:
        found: list[int] = getattr(self, "__dict__").setdefault("seen", [])  # noqa: B009 that is what is tried
        return found


@dataclass(frozen=True)
class ByAlias:
    n: int

    def log(self) -> list[int]:
        if not hasattr(self, "seen"):
            set_attribute(self, "seen", [])
        found: list[int] = self.__getattribute__("seen")
        return found


@dataclass(frozen=True)
class ByFunction:
    n: int

    def log(self) -> list[int]:
        return filled_in(self)


@dataclass(frozen=True)
class ByInnerFunction:
    n: int

    def log(self) -> list[int]:
        def fill() -> list[int]:
            found: list[int] = self.__dict__.setdefault("seen", [])
            return found

        return fill()


@dataclass(frozen=True)
class ByDecorated:
    n: int
    log = passed_on(filled_in)


@dataclass(frozen=True)
class ByStaticMethod:
    n: int
    fill = staticmethod(filled_in)

    def log(self) -> list[int]:
        return self.fill(self)


@dataclass(frozen=True)
class ByDescriptor:
    n: int
    log = Remembered()


@dataclass(frozen=True, slots=True)
class BySlot:
    n: int
    _seen: list[int] | None = field(default=None, init=False)

    @property
    def log(self) -> Callable[[], list[int]]:
        if self._seen is None:
            object.__setattr__(self, "_seen", [])
        return lambda: self._seen or self._seen  # type: ignore[return-value]


def test_a_frozen_dataclass_that_fills_in_later_is_not_shared() -> None:
    cached = freeze(Cached(("a",)))
    cached.view().upper.append("B")
    assert cached.view().upper == ["A"]


@pytest.mark.parametrize(
    "kind",
    [
        *(Memo, ByProperty, ByVars, ByName, ByAlias, ByFunction, ByInnerFunction),
        *(ByDecorated, ByStaticMethod, ByDescriptor, BySlot),
    ],
)
def test_what_code_of_a_frozen_dataclass_fills_in_is_each_branchs_own(kind: Callable[[int], Any]) -> None:
    base = freeze([kind(1)])
    view = base.view()
    view[0].log().append(1)
    assert view[0].log() == [1]
    assert base.view()[0].log() == []


@dataclass(frozen=True)
class Calculating:
    n: int

    @property
    def double(self) -> int:
        return self.n * 2

    @classmethod
    def of(cls, text: str) -> Calculating:
        return cls(int(text))

    def next(self) -> Calculating:
        return replace(self, n=self.n + 1)

    @lru_cache  # noqa: B019 that is what is tried
    def power(self) -> int:
        return self.n**2

    def __lt__(self, other: Calculating) -> bool:
        return self.n < other.n


@pydantic_dataclass(frozen=True)
class Validated:
    n: int


@dataclass(frozen=True, slots=True, order=True)
class Ordered:
    n: int


def test_a_frozen_dataclass_that_only_calculates_is_shared() -> None:
    for value in (Calculating(1), Ordered(1), Validated(1)):
        assert freeze(value).view() is value


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

    def hold(self, inside: object) -> None:
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


async def live() -> dict[str, object]:
    class OwnQueue(asyncio.Queue[int]):
        pass

    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable")
    loop = asyncio.get_running_loop()
    return {
        **{kind.__name__: kind() for kind in (asyncio.Lock, asyncio.Semaphore, asyncio.BoundedSemaphore)},
        **{kind.__name__: kind() for kind in (asyncio.Event, asyncio.Condition, asyncio.TaskGroup, asyncio.Runner)},
        **{kind.__name__: kind() for kind in (asyncio.Queue, asyncio.LifoQueue, asyncio.PriorityQueue, OwnQueue)},
        **{kind.__name__: kind() for kind in (threading.Lock, threading.RLock, threading.Event, threading.Condition)},
        **{kind.__name__: kind() for kind in (threading.Semaphore, threading.Thread, threading.local, queue.Queue)},
        "barrier": asyncio.Barrier(2),
        "timeout": asyncio.timeout(1),
        "future": loop.create_future(),
        "loop": loop,
        "task": asyncio.current_task(),
        "handle": loop.call_soon(int),
        "thread barrier": threading.Barrier(2),
        "context": contextvars.copy_context(),
        "variable": variable,
        "token": variable.set(1),
    }


def test_live_objects_are_refused() -> None:
    async def run() -> None:
        for name, value in (await live()).items():
            for wrapped in (value, [{"a": value}], (value,), Normal([value])):  # type: ignore[list-item]
                with pytest.raises(IsolationError, match=r"can't be copied"):
                    freeze(wrapped, name=name)

    asyncio.run(run())


LOCKS = (asyncio.Lock, asyncio.Semaphore, asyncio.Event, asyncio.Condition, asyncio.Queue, threading.Lock)


@pytest.mark.parametrize("kind", LOCKS)
def test_live_objects_inside_objects_that_are_copied_are_refused(kind: Callable[[], object]) -> None:
    with pytest.raises(IsolationError, match=r"\['a'\]\.inside can't be copied: .* (is no data|pickle)"):
        freeze([Holder({"a": Slots(kind())})])
    for value in (deque([kind()]), defaultdict(list, a=kind()), OrderedDict(a=kind()), {kind()}, frozenset({kind()})):
        with pytest.raises(IsolationError, match="can't be copied"):
            freeze(value)


TARGET = Holder([])
WEAK: list[object] = [
    *(weakref.ref(TARGET), weakref.ref(TARGET, id), weakref.proxy(TARGET), weakref.WeakMethod(TARGET.hold)),
    *(weakref.WeakSet([TARGET]), weakref.WeakSet(), weakref.WeakValueDictionary({1: TARGET})),
    weakref.WeakKeyDictionary({TARGET: 1}),
]


@pytest.mark.parametrize("weak", WEAK, ids=lambda it: type(it).__name__)
def test_weak_references_inside_objects_that_are_copied_are_refused(weak: Any) -> None:
    for value, path in [
        (Holder(weak), r"\.inside"),
        ({"kid": Slots(weak)}, r"\['kid'\]\.inside"),
        (Holder([(1, (weak,))]), r"\.inside\[0\]\[1\]\[0\]"),
        (deque([weak]), r"\[0\]"),
        (OrderedDict(a=weak), r"\['a'\]"),
        (defaultdict(list, a=[weak]), r"\['a'\]\[0\]"),
        (Holder(Normal([weak])), r"\.inside\.items\[0\]"),
        (Holder(partial(print, weak)), ""),
        (Holder(Holder(weak).hold), ""),
    ]:
        with pytest.raises(IsolationError, match=rf"^the value(: | ){path}.*can't be copied: .*(leads to|WeakMethod)"):
            freeze(value)


def test_a_dead_proxy_is_refused() -> None:
    with pytest.raises(IsolationError, match=r"\.inside\[0\] can't be copied: ReferenceError"):
        freeze(Holder([weakref.proxy(Holder(1)), asyncio.Lock()]))


def test_a_tree_with_weak_references_to_parents_is_refused() -> None:
    root, kid = Holder([]), Holder(None)
    kid.parent = weakref.ref(root)  # type: ignore[attr-defined]
    root.inside = [kid]
    with pytest.raises(IsolationError, match=r"\.inside\[0\]\.parent can't be copied: a ReferenceType leads"):
        freeze(root)


class Tree:
    """Says itself how it is copied: with locks and weak references of its own."""

    def __init__(self, parent: Tree | None = None) -> None:
        self.kids: list[Tree] = []
        self.name = [1]
        self.adopt(parent)

    def adopt(self, parent: Tree | None) -> None:
        self.lock, self.known = asyncio.Lock(), weakref.WeakSet([self])
        self.parent: Any = weakref.ref(parent) if parent else None
        self.me = weakref.proxy(self)
        for kid in self.kids:
            kid.adopt(self)

    def __getstate__(self) -> dict[str, Any]:
        return {"kids": self.kids, "name": self.name}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.adopt(None)


def test_a_class_may_give_its_copies_live_objects_of_their_own() -> None:
    root = Tree()
    root.kids.append(Tree(root))
    view = freeze({"tree": root}).view()["tree"]
    assert view.kids[0].parent() is view
    assert view.me.name is view.name is not root.name
    assert view.lock is not root.lock


class Client:
    """Is its own copy."""

    def __init__(self) -> None:
        self.lock, self.ref = asyncio.Lock(), weakref.ref(TARGET)

    def __deepcopy__(self, memo: dict[int, Any]) -> Client:
        return self


def test_what_is_its_own_copy_may_hold_live_objects() -> None:
    client = Client()
    assert freeze(client).view() is client
    assert freeze(Holder([client])).view().inside == [client]
    assert freeze(Holder(logging.getLogger("a"))).view().inside is logging.getLogger("a")


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
