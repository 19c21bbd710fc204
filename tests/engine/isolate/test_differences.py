"""How a view differs from the plain value: the list in docs/isolation.md, a test for each entry."""

from __future__ import annotations

import heapq
import weakref
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
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


def test_weak_references() -> None:
    with pytest.raises(IsolationError, match="leads to an object that stays shared"):
        freeze([weakref.ref(Task())])


def test_every_difference_is_documented(checkout: Path) -> None:
    documented = (checkout / "docs" / "isolation.md").read_text()
    tests: list[Callable[[], None]] = [
        *(test_exact_type, test_parts_read_by_code_in_c, test_parts_that_pydantic_does_not_copy),
        *(test_copied_objects_read_by_code_in_c, test_aliases_read_by_code_in_c, test_frozen_dataclasses_are_shared),
        *(test_subclasses, test_read_only_fields, test_read_only_fields_written_by_code_in_c, test_weak_references),
    ]
    assert [test.__name__ for test in tests if f"`{test.__name__}`" not in documented] == []
