"""How a view differs from the plain value: the list in docs/isolation.md, a test for each entry."""

from __future__ import annotations

import enum
import heapq
import weakref
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from fanfold.engine.isolate import FrozenError, IsolationError, freeze, read_only


@dataclass(frozen=True)
class Point:
    x: int


@dataclass
class Task:
    tags: list[Any] = field(default_factory=list)

    def add(self, tag: object) -> None:
        self.tags.append(tag)


class Tree:
    parent: Any = None


class Kind(enum.Enum):
    A = ([1],)


class Zone(tzinfo):
    """A time zone of one's own."""

    def utcoffset(self, _: datetime | None) -> timedelta:
        return timedelta()

    def dst(self, _: datetime | None) -> None:
        return None

    def tzname(self, _: datetime | None) -> str:
        return "own"


@dataclass
class Job:
    rules: Annotated[list[Any], read_only] = field(default_factory=list)


class Model(BaseModel):
    tags: list[Any] = []


def view_of(value: Any) -> Any:
    return freeze(value).view()


def test_exact_type() -> None:
    view = view_of({"rows": [[1]], "numbers": [1]})
    assert isinstance(view["rows"], list)
    assert type(view["rows"]) is not list
    assert type(view["numbers"]) is list


def test_parts_read_by_code_in_c() -> None:
    rows = heapq.nsmallest(1, view_of([[2], [1]]))
    rows[0].append("nsmallest asks the list for its parts, and gets the branch's own")
    view = view_of([[2], [1]])
    heapq.heapify(view)
    smallest = heapq.heappop(view)
    assert smallest == [1]
    with pytest.raises(FrozenError, match="this list is in the base") as caught:
        smallest.append(2)
    assert caught.value.hint == "work on a copy of your own: copy.deepcopy(it)"


def test_parts_written_by_code_in_c() -> None:
    base = freeze([[1, 5], [2]])
    own = list(base.view())
    heapq.heappush(heapq.heappop(own), 0)
    assert base.view() == [[1, 5], [2]]
    heapq.heappush(heapq.heappop(base.view()), 0)
    assert base.view() == [[0, 5, 1], [2]]


def test_parts_that_pydantic_does_not_copy() -> None:
    made = TypeAdapter(list[Any]).validate_python(view_of([[2], Task(), Model()]))
    assert made == [[2], Task(), Model()]
    for change in (lambda: made[0].append(1), lambda: made[1].tags.append(1), lambda: setattr(made[2], "tags", 1)):
        with pytest.raises(FrozenError):
            change()


def test_copied_objects_read_by_code_in_c() -> None:
    view = view_of([Counter("a")])
    with pytest.raises(ValidationError, match="Counter"):
        TypeAdapter(list[Counter[str]]).validate_python(view)
    assert TypeAdapter(list[Counter[str]]).validate_python(list(view)) == [Counter("a")]
    with pytest.raises(FrozenError, match="this Counter is held for all branches"):
        list.__getitem__(view_of([Counter("a")]), 0).update("b")


def test_aliases_read_by_code_in_c() -> None:
    shared = [1]
    view = view_of({"one": shared, "two": [{"in": shared}]})
    view["one"].append(2)
    assert TypeAdapter(list[Any]).validate_python(view["two"]) == [{"in": [1]}]
    assert view["two"] == [{"in": [1, 2]}]
    assert TypeAdapter(list[Any]).validate_python(view["two"]) == [{"in": [1, 2]}]


def test_frozen_dataclasses_are_shared() -> None:
    base = freeze([Point(1)])
    object.__setattr__(base.view()[0], "x", 2)
    assert base.view()[0].x == 2


def test_subclasses() -> None:
    @dataclass
    class Base:
        n: int

    view_of(Base(1))
    assert len(Base.__subclasses__()) == 2
    with pytest.raises(FrozenError):
        Base.__subclasses__()[0](1)


def test_read_only_fields() -> None:
    view = view_of(Job(["a"]))
    assert view.rules == ["a"]
    assert type(view.rules) is not list
    with pytest.raises(FrozenError, match="this list belongs to a read-only field"):
        view.rules.append("b")


def test_read_only_fields_written_by_code_in_c() -> None:
    base = freeze(Job([2, 3]))
    heapq.heappush(base.view().rules, 1)
    assert base.view().rules == [1, 3, 2]


def test_functions_are_shared() -> None:
    numbers: list[int] = []
    view_of({"add": numbers.append})["add"](1)
    assert numbers == [1]
    task = Task()
    view_of({"add": task.add})["add"](1)
    assert task.tags == []


def test_what_a_datetime_refers_to_is_shared() -> None:
    zone = Zone()
    assert view_of([datetime(2020, 1, 1, tzinfo=zone)])[0].tzinfo is zone


def test_enum_members_are_shared() -> None:
    assert view_of([Kind.A])[0].value is Kind.A.value


def test_weak_references() -> None:
    task, tree = Task(), Tree()
    tree.parent = weakref.ref(task)
    for value in ([weakref.ref(task)], tree, [deque([weakref.WeakSet([tree])])]):
        with pytest.raises(IsolationError, match="leads to an object that stays shared"):
            freeze(value)


def test_every_difference_is_documented(checkout: Path) -> None:
    documented = (checkout / "docs" / "isolation.md").read_text()
    tests = [name for name in globals() if name.startswith("test_") and "documented" not in name]
    assert [name for name in tests if f"`{name}`" not in documented] == []
