"""Ways around a view: none of them leads to what others see."""

from __future__ import annotations

import copy
import heapq
import operator
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel, PrivateAttr, TypeAdapter

from fanfold.engine.isolate import FrozenError, detach, freeze


@dataclass
class Task:
    tags: list[Any] = field(default_factory=list)
    kind: str = "kind"


@dataclass(slots=True)
class Slim:
    tags: list[Any] = field(default_factory=list)
    belongs: str = "belongs"


class Pair(NamedTuple):
    one: list[Any]
    two: int = 2


class Model(BaseModel):
    tags: list[Any] = []
    _notes: list[Any] = PrivateAttr(default_factory=list)


def state() -> dict[str, Any]:
    return {
        "rows": [[1], [2, [3]]],
        "ids": {"a": {"more": [1]}},
        "task": Task([1]),
        "slim": Slim([1]),
        "pair": Pair([1]),
        "model": Model(tags=[1]),
        "tuple": ([1],),
        "set": {1},
        "deque": deque([[1]]),
    }


def raw(view: dict[str, Any], key: str) -> Any:
    """What code in C sees that reads the storage."""
    return dict.__getitem__(view, key)


CHANGES: list[Callable[[dict[str, Any]], object]] = [
    lambda s: raw(s, "rows").append(1),
    lambda s: raw(s, "rows").extend([1]),
    lambda s: raw(s, "rows").insert(0, 1),
    lambda s: raw(s, "rows").pop(),
    lambda s: raw(s, "rows").remove([1]),
    lambda s: raw(s, "rows").clear(),
    lambda s: raw(s, "rows").sort(),
    lambda s: raw(s, "rows").reverse(),
    lambda s: raw(s, "rows").__iadd__([1]),
    lambda s: raw(s, "rows").__imul__(2),
    lambda s: operator.setitem(raw(s, "rows"), 0, 1),
    lambda s: operator.setitem(raw(s, "rows"), slice(0, 1), []),
    lambda s: operator.delitem(raw(s, "rows"), 0),
    lambda s: raw(s, "rows")[0].append(1),
    lambda s: raw(s, "rows")[1][1].append(1),
    lambda s: next(iter(raw(s, "rows"))).append(1),
    lambda s: raw(s, "rows").copy()[0].append(1),
    lambda s: raw(s, "rows")[:][0].append(1),
    lambda s: (raw(s, "rows") + [])[0].append(1),  # noqa: RUF005 the operator is what is tried
    lambda s: operator.setitem(raw(s, "ids"), "b", 1),
    lambda s: operator.delitem(raw(s, "ids"), "a"),
    lambda s: raw(s, "ids").__ior__({"b": 1}),
    lambda s: raw(s, "ids").update(b=1),
    lambda s: raw(s, "ids").setdefault("b", 1),
    lambda s: raw(s, "ids").pop("a"),
    lambda s: raw(s, "ids").popitem(),
    lambda s: raw(s, "ids").clear(),
    lambda s: raw(s, "ids")["a"]["more"].append(1),
    lambda s: raw(s, "ids").get("a").clear(),
    lambda s: next(iter(raw(s, "ids").values())).clear(),
    lambda s: dict(raw(s, "ids"))["a"].clear(),
    lambda s: raw(s, "ids").copy()["a"].clear(),
    lambda s: {**raw(s, "ids")}["a"].clear(),
    lambda s: (raw(s, "ids") | {})["a"].clear(),
    lambda s: setattr(raw(s, "task"), "tags", 1),
    lambda s: delattr(raw(s, "task"), "tags"),
    lambda s: raw(s, "task").tags.append(1),
    lambda s: operator.setitem(raw(s, "task").__dict__, "tags", 1),
    lambda s: vars(raw(s, "task"))["tags"].append(1),
    lambda s: replace(raw(s, "task"), kind="x").tags.append(1),
    lambda s: setattr(raw(s, "slim"), "tags", 1),
    lambda s: delattr(raw(s, "slim"), "tags"),
    lambda s: raw(s, "slim").tags.append(1),
    lambda s: raw(s, "pair").one.append(1),
    lambda s: raw(s, "pair")._replace(two=1).one.append(1),
    lambda s: setattr(raw(s, "model"), "tags", 1),
    lambda s: raw(s, "model").tags.append(1),
    lambda s: raw(s, "model")._notes.append(1),
    lambda s: setattr(raw(s, "model"), "_notes", 1),
    lambda s: raw(s, "model").model_fields_set.add("x"),
    lambda s: operator.setitem(raw(s, "model").__dict__, "tags", 1),
    lambda s: raw(s, "tuple")[0].append(1),
    lambda s: raw(s, "set").add(2),
    lambda s: raw(s, "set").update({2}),
    lambda s: raw(s, "set").discard(1),
    lambda s: raw(s, "set").__ior__({2}),
    lambda s: raw(s, "deque").append(1),
    lambda s: heapq.heappop(s["rows"]).append(1),
    lambda s: list.__getitem__(s["rows"], 0).append(1),
    lambda s: list.sort(s["rows"], key=lambda row: row.append(1)),
    lambda s: TypeAdapter(list[Any]).validate_python(s["rows"])[0].append(1),
    lambda s: TypeAdapter(list[Task]).validate_python(freeze([s["task"]]).view())[0].tags.append(1),
]


@pytest.mark.parametrize("change", CHANGES)
def test_what_code_in_c_reads_refuses_to_change(change: Callable[[dict[str, Any]], object]) -> None:
    base = freeze(state())
    with pytest.raises(FrozenError):
        change(base.view())
    assert base.view() == state()


READS: list[Callable[[dict[str, Any]], Any]] = [
    lambda s: raw(s, "rows") == state()["rows"],
    lambda s: raw(s, "ids") == state()["ids"],
    lambda s: raw(s, "task") == Task([1]) == raw(s, "task"),
    lambda s: raw(s, "slim") == Slim([1]),
    lambda s: raw(s, "model") == Model(tags=[1]),
    lambda s: raw(s, "model").model_dump() == {"tags": [1]},
    lambda s: raw(s, "model").model_copy(deep=True) == Model(tags=[1]),
    lambda s: raw(s, "model").model_dump_json() == '{"tags":[1]}',
    lambda s: raw(s, "pair") == Pair([1]),
    lambda s: raw(s, "set").copy() == {1},
    lambda s: repr([*map(s.__getitem__, s)]) == repr([*state().values()]),
    lambda s: [repr(raw(s, key)) for key in s] == [repr(value) for value in state().values()],
    lambda s: isinstance(raw(s, "task"), Task) and raw(s, "task").__class__ is Task,
    lambda s: (raw(s, "task").kind, raw(s, "slim").belongs) == ("kind", "belongs"),
]


@pytest.mark.parametrize("read", READS)
def test_what_code_in_c_reads_is_the_value(read: Callable[[dict[str, Any]], Any]) -> None:
    assert read(freeze(state()).view())


@pytest.mark.parametrize("key", list(state()))
@pytest.mark.parametrize("free", [copy.copy, copy.deepcopy, detach, lambda it: copy.deepcopy([it])[0]])
def test_what_code_in_c_reads_can_be_copied_into_something_plain(key: str, free: Callable[[Any], Any]) -> None:
    base = freeze(state())
    own = free(raw(base.view(), key))
    assert own == state()[key]
    assert type(own) is type(state()[key])
    change = {"task": lambda: own.tags.append(1), "slim": lambda: own.tags.append(1), "deque": lambda: own.append(1)}
    change |= {"model": lambda: own.tags.append(1), "pair": lambda: own.one.append(1), "rows": lambda: own.append(1)}
    change |= {"ids": lambda: own.update(b=1), "tuple": lambda: own[0].append(1), "set": lambda: own.add(2)}
    change[key]()
    assert own != state()[key]
    assert base.view() == state()


def test_parts_moved_between_views_stay_with_the_branch() -> None:
    base = freeze(state())
    view, other = base.view(), base.view()
    other["taken"] = view["rows"]
    other["taken"].append("both")
    assert view["rows"][-1] == "both"
    assert base.view() == state()


def test_a_view_outlives_its_base() -> None:
    view = freeze(state()).view()
    assert view == state()


def test_a_part_read_from_the_base_may_be_put_back() -> None:
    base = freeze(state())
    view = base.view()
    view["again"] = raw(view, "ids")
    view["again"]["a"]["more"].append(2)
    assert base.view() == state()


def test_a_view_that_c_code_changed_freezes_as_it_is() -> None:
    view: Any = freeze({"rows": [[2], [1]]}).view()
    rows = freeze(view["rows"]).view()
    heapq.heapify(rows)
    assert freeze(rows).view() == [[1], [2]]
    dict.__setitem__(view, "n", 1)
    assert freeze(view).view() == {"rows": [[2], [1]], "n": 1}
