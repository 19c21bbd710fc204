"""What a branch returns belongs to nobody else."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel, PrivateAttr

from fanfold.engine.isolate import detach, freeze


@dataclass
class Task:
    tags: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Point:
    x: Any


class Pair(NamedTuple):
    one: Any
    two: int = 2


class Model(BaseModel):
    tags: list[Any] = []
    _notes: list[Any] = PrivateAttr(default_factory=list)


class Live:
    def __init__(self, part: Any) -> None:
        self.part = part
        self.lock = threading.Lock()


UNCHANGING = [1, "text", None, (1, "a"), frozenset({1}), Point(1), Point((1, Point(2))), Pair(1), len, Task]


@pytest.mark.parametrize("value", UNCHANGING, ids=repr)
def test_what_never_changes_is_returned_as_it_is(value: object) -> None:
    assert detach(value) is value
    assert detach([value])[0] is value


@pytest.mark.parametrize(
    "value",
    [
        *([[1]], {"a": {"b": [1]}}, {1}, ([1],), Pair([1]), Task([[1]]), Point([1]), Model(tags=[[1]])),
        MappingProxyType({"a": [1]}),
        *(deque([[1]]), defaultdict(list, a=[1]), OrderedDict(a=[1]), Counter("aab"), bytearray(b"a")),
    ],
    ids=repr,
)
def test_what_can_change_is_rebuilt_plain(value: Any) -> None:
    for given in (value, freeze(value).view(), freeze([value]).view()[0]):
        detached = detach(given)
        assert detached == value
        assert detached is not given
        assert type(detached) is type(value)


def test_nothing_of_the_branch_is_in_what_it_returned() -> None:
    view: Any = freeze({"rows": [[1]], "task": Task([1])}).view()
    own: list[Any] = [0]
    update: Any = {"rows": view["rows"], "task": view["task"], "own": own, "pair": Pair(own)}
    detached = detach(update)
    view["rows"][0].append(2)
    view["task"].tags.append(2)
    own.append(1)
    assert detached == {"rows": [[1]], "task": Task([1]), "own": [0], "pair": Pair([0])}
    assert [type(detached["rows"]), type(detached["rows"][0])] == [list, list]


def test_one_object_stays_one() -> None:
    shared: list[Any] = [1]
    shared.append(shared)
    detached: Any = detach({"one": shared, "two": Task(shared), "queue": deque([shared])})
    assert detached["one"] is detached["two"].tags is detached["queue"][0] is detached["one"][1]


def test_two_views_of_one_base_stay_two() -> None:
    base = freeze({"rows": [[1]]})
    detached = detach([base.view(), base.view()])
    detached[0]["rows"][0].append(2)
    assert detached[1] == {"rows": [[1]]}


def test_changes_by_another_name_are_in_what_is_returned() -> None:
    shared = [1]
    view: Any = freeze({"one": shared, "two": {"in": shared}}).view()
    view["one"].append(2)
    assert detach(view) == {"one": [1, 2], "two": {"in": [1, 2]}}


def test_private_attributes_are_detached() -> None:
    model = Model()
    model._notes.append(1)
    detached = detach(model)
    model._notes.append(2)
    assert detached._notes == [1]


def test_what_is_no_data_is_returned_as_it_is() -> None:
    live = Live([1])
    assert detach(live) is live
    assert detach({"live": live})["live"] is live
    uncopyable = deque([threading.Lock()])
    assert detach([uncopyable])[0] is uncopyable
