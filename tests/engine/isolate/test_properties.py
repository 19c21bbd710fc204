"""Whatever a value is made of, and whatever a branch does to its view: nobody else sees it, and the branch sees it.

Values are random, with aliases and cycles; what is done to a view is done to a deep copy too, and both must come out
the same, down to which objects are one and the same.
"""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, PrivateAttr

from fanfold.engine.isolate import Freezer, detach, freeze


@dataclass
class Record:
    first: Any = None
    second: Any = None
    log: list[Any] = field(default_factory=list, init=False)


@dataclass(slots=True)
class Slotted:
    first: Any = None
    second: Any = None


@dataclass(frozen=True)
class Fixed:
    first: Any = None
    second: Any = None


class Pair(NamedTuple):
    first: Any
    second: Any


class Model(BaseModel):
    model_config = ConfigDict(extra="allow")
    first: Any = None
    second: Any = None
    _hidden: Any = PrivateAttr(default=None)


class Plain:
    """An object of a class that says nothing: it can only be copied."""

    def __init__(self, first: Any) -> None:
        self.first = first


def model_of(first: Any, second: Any) -> Model:
    made = Model.model_construct(first=first, second=second, more=second)
    made._hidden = first
    return made


Make = Callable[[Any, Any], Any]
MAKES: dict[str, Make] = {
    "list": lambda a, b: [a, b],
    "empty list": lambda *_: [],
    "dict": lambda a, b: {"a": a, "b": b},
    "dict of one": lambda a, _: {1: a},
    "set": lambda *_: {1, "x"},
    "tuple": lambda a, b: (a, b),
    "pair": Pair,
    "record": Record,
    "slotted": Slotted,
    "fixed": Fixed,
    "model": model_of,
}
COPIED: dict[str, Make] = {
    "deque": lambda a, b: deque([a, b]),
    "defaultdict": lambda a, _: defaultdict(list, {"a": a}),
    "ordered": lambda a, b: OrderedDict(a=a, b=b),
    "plain": lambda a, _: Plain(a),
}
ATOMS = [0, 1, True, 1.0, "text", None, b"bytes", (1, "x"), frozenset({1})]

Step = tuple[str, int, int]
Change = tuple[str, list[int], list[int], int]


def steps(*, copied: bool = True) -> st.SearchStrategy[list[Step]]:
    """How a value is built: each step makes an object of those before it, so that objects are shared."""
    numbers = st.integers(0, 40)
    names = st.sampled_from([*MAKES, *(COPIED if copied else ()), "cycle"])
    return st.lists(st.tuples(names, numbers, numbers), min_size=1, max_size=12)


def build(program: list[Step]) -> Any:
    """The value that the steps make: a dict that holds all objects."""
    pool: list[Any] = list(ATOMS)
    lists: list[list[Any]] = []
    for name, one, other in program:
        a, b = pool[-1 - one % len(pool)], pool[-1 - other % len(pool)]
        if name == "cycle":
            if lists:
                lists[one % len(lists)].append(b)
            continue
        made = (MAKES | COPIED)[name](a, b)
        pool.append(made)
        if type(made) is list:
            lists.append(made)
    made = pool[len(ATOMS) :]
    return {"last": made[-1:], "all": {str(index): each for index, each in enumerate(made[::3])}, "n": 1}


def parts(value: Any) -> list[Any]:
    """What a value holds, as ordinary code gets at it."""
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list | tuple | deque):
        return list(value)
    if isinstance(value, Record):
        return [value.first, value.second, value.log]
    if isinstance(value, Slotted | Fixed):
        return [value.first, value.second]
    if isinstance(value, Model):
        return [value.first, value.second, value.model_extra, value._hidden]
    return [value.first] if isinstance(value, Plain) else []


def reach(value: Any, path: list[int]) -> Any:
    """The part that a path leads to, as far as it goes."""
    for step in path:
        if not (inside := parts(value)):
            break
        value = inside[step % len(inside)]
    return value


def _sorted(it: list[Any]) -> None:
    it.sort(key=lambda each: str(type(each).__name__ in ("int", "str")))


def _set_fields(it: Any, a: Any, _: int) -> None:
    if not isinstance(it, Fixed | set):
        it.first = a


def _set_hidden(it: Any, a: Any, n: int) -> None:
    if isinstance(it, Model):
        it._hidden = a
        it.__setattr__("added", n)


LIST_CHANGES: dict[str, Callable[[Any, Any, int], Any]] = {
    "append": lambda it, a, _: it.append(a),
    "insert": lambda it, a, n: it.insert(n, a),
    "pop": lambda it, _, n: it.pop(n % len(it)) if it else None,
    "extend": lambda it, a, _: it.extend([a, a]),
    "extend itself": lambda it, *_: it.extend(it),
    "add itself": lambda it, *_: it.__iadd__(it),
    "twice": lambda it, *_: it.__imul__(2),
    "set": lambda it, a, n: it.__setitem__(n % len(it), a) if it else None,
    "slice": lambda it, a, n: it.__setitem__(slice(n % 2, n), [a]),
    "insert itself": lambda it, *_: it.__setitem__(slice(1, 1), it),
    "delete": lambda it, _, n: it.__delitem__(n % len(it)) if it else None,
    "reverse": lambda it, *_: it.reverse(),
    "sort": lambda it, *_: _sorted(it),
    "clear": lambda it, *_: it.clear(),
    "copy in": lambda it, *_: it.append(it[:2]),
    "sum": lambda it, *_: it.append([0] + it),  # noqa: RUF005 the operator is what is tried
    "times": lambda it, *_: it.append(it * 2),
}
DICT_CHANGES: dict[str, Callable[[Any, Any, int], Any]] = {
    "set": lambda it, a, n: it.__setitem__(n, a),
    "setdefault": lambda it, a, _: it.setdefault("a", a),
    "get": lambda it, *_: it.get("a"),
    "pop": lambda it, a, _: it.pop("a", a),
    "popitem": lambda it, *_: it.popitem() if it else None,
    "update": lambda it, a, n: it.update({n: a}),
    "merge": lambda it, a, n: it.__ior__({n: a}),
    "delete": lambda it, *_: it.__delitem__(next(iter(it))) if it else None,
    "clear": lambda it, *_: it.clear(),
    "copy in": lambda it, _, n: it.__setitem__(n, it.copy()),
    "union": lambda it, _, n: it.__setitem__(n, {"a": 0} | it),
}
OTHER_CHANGES: dict[str, Callable[[Any, Any, int], Any]] = {
    "set fields": _set_fields,
    "set hidden": _set_hidden,
    "add": lambda it, _, n: it.add(n) if isinstance(it, set) else None,
}


def changes() -> st.SearchStrategy[list[Change]]:
    """Code that changes a value: for each statement its kind, the path to its object, the path to another."""
    path = st.lists(st.integers(0, 5), max_size=5)
    names = st.sampled_from(sorted({*LIST_CHANGES, *DICT_CHANGES, *OTHER_CHANGES}))
    return st.lists(st.tuples(names, path, path, st.integers(0, 4)), max_size=10)


def apply(program: list[Change], value: Any) -> list[Any]:
    """Run the code over a value; what each statement returned."""
    returned = []
    for name, path, other_path, number in program:
        it, other = reach(value, path), reach(value, other_path)
        if isinstance(it, list):
            change = LIST_CHANGES.get(name)
        elif isinstance(it, dict):
            change = DICT_CHANGES.get(name)
        else:
            change = OTHER_CHANGES.get(name) if isinstance(it, Record | Slotted | Model | Plain | set) else None
        returned.append(change(it, other, number) if change else None)
    return returned


_KINDS: tuple[type, ...] = (
    *(OrderedDict, defaultdict, dict, list, set, frozenset, deque, Pair, tuple),
    *(Record, Slotted, Fixed, Model, Plain),
)


def shape(value: Any) -> Any:
    """A value as text that tells which of its objects are one and the same; views look like what they stand for."""
    numbers: dict[int, int] = {}
    alive: list[Any] = []

    def written(it: Any) -> Any:
        kind = next((kind for kind in _KINDS if isinstance(it, kind)), None)
        if kind is None:
            return f"{type(it).__name__} {it!r}"
        if kind in (set, frozenset):
            return f"{kind.__name__} {sorted(map(str, it))}"
        if kind not in (tuple, Pair, Fixed):
            if id(it) in numbers:
                return f"#{numbers[id(it)]}"
            numbers[id(it)] = len(numbers)
            alive.append(it)
        names = list(it) if isinstance(it, dict) else []
        return [kind.__name__, numbers.get(id(it)), names, [written(part) for part in parts(it)]]

    return written(value)


PROGRAMS = {"steps": steps(), "program": changes()}


@given(steps=steps())
def test_a_view_is_what_a_deep_copy_is(steps: list[Step]) -> None:
    assert shape(freeze(build(steps)).view()) == shape(build(steps))


@given(**PROGRAMS)
def test_a_view_takes_changes_as_a_deep_copy_does(steps: list[Step], program: list[Change]) -> None:
    view, plain = freeze(build(steps)).view(), copy.deepcopy(build(steps))
    assert shape(apply(program, view)) == shape(apply(program, plain))
    assert shape(view) == shape(plain)


@given(**PROGRAMS, reads=changes())
def test_nobody_else_sees_what_is_done_to_a_view(steps: list[Step], program: list[Change], reads: list[Change]) -> None:
    original = build(steps)
    before = shape(original)
    base = freeze(original)
    view, sibling, touched = base.view(), base.view(), base.view()
    for _, path, _, _ in reads:
        reach(touched, path)
    apply(program, view)
    assert shape(sibling) == shape(touched) == shape(base.view()) == shape(original) == before


@given(**PROGRAMS)
def test_a_snapshot_does_not_see_what_happens_to_the_original(steps: list[Step], program: list[Change]) -> None:
    original = build(steps)
    before = shape(original)
    base = freeze(original)
    untouched = base.view()
    apply(program, original)
    assert shape(base.view()) == shape(untouched) == before


@given(**PROGRAMS, more=changes())
def test_a_view_freezes_as_it_is(steps: list[Step], program: list[Change], more: list[Change]) -> None:
    view, plain = freeze(build(steps)).view(), copy.deepcopy(build(steps))
    apply(program, view)
    apply(program, plain)
    inner = freeze(view)
    apply(more, view)
    assert shape(inner.view()) == shape(plain)
    again, plain_again = inner.view(), copy.deepcopy(plain)
    assert shape(apply(more, again)) == shape(apply(more, plain_again))
    assert shape(again) == shape(plain_again)


@pytest.mark.parametrize("free", [detach, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
@given(steps=steps(copied=False), program=changes())
def test_what_leaves_a_branch_is_plain_and_its_own(free: Any, steps: list[Step], program: list[Change]) -> None:
    view = freeze(build(steps)).view()
    apply(program, view)
    before = shape(view)
    freed = free(view)
    assert shape(freed) == before
    assert not {type(each).__module__ for each in everything(freed)} & VIEWS
    apply([("append", [], [], 0), ("clear", [], [], 0), ("clear", [0], [], 0)], view)
    assert shape(freed) == before


@given(steps=st.lists(steps(), min_size=1, max_size=3), program=changes())
def test_values_frozen_together_are_what_each_is_alone(steps: list[list[Step]], program: list[Change]) -> None:
    values = [build(each) for each in steps]
    values.append([values[0], values[-1]["all"]])
    freezer = Freezer()
    bases = [freezer.freeze(value) for value in values]
    for base, value in zip(bases, values, strict=True):
        view, plain = base.view(), copy.deepcopy(value)
        assert shape(apply(program, view)) == shape(apply(program, plain))
        assert shape(view) == shape(plain)
        assert shape(base.view()) == shape(value)


VIEWS = {"fanfold.engine.isolate.views", "fanfold.engine.isolate.frozen"}


def everything(value: Any) -> list[Any]:
    """The value and all objects inside it."""
    found: dict[int, Any] = {}
    waiting = [value]
    while waiting:
        it = waiting.pop()
        if id(it) not in found:
            found[id(it)] = it
            waiting += parts(it)
    return list(found.values())
