"""Ordinary code does on a view what it does on the plain value: each snippet runs on both."""

from __future__ import annotations

import bisect
import collections
import copy
import dataclasses
import functools
import heapq
import itertools
import json
import operator
import pickle
import pprint
import random
import string
from collections import ChainMap, Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, MutableMapping, MutableSequence, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel, TypeAdapter

from fanfold.engine.isolate import freeze


class Point(NamedTuple):
    x: int
    marks: list[int]


@dataclass
class Task:
    name: str
    tags: list[str] = field(default_factory=list)
    inner: Task | None = None


class Item(BaseModel):
    name: str
    tags: list[str] = []
    counts: dict[str, list[int]] = {}


class Order(BaseModel):
    items: list[Item]
    notes: dict[str, Any] = {}


def state() -> dict[str, Any]:
    return {
        "n": 3,
        "name": "ada",
        "numbers": [3, 1, 2],
        "rows": [[3, "c"], [1, "a"], [2, "b"]],
        "people": [{"name": "ada", "langs": ["c"]}, {"name": "bob", "langs": []}],
        "by_id": {"a": {"n": 1, "more": [1]}, "b": {"n": 2, "more": [2]}},
        "seen": {1, 2},
        "pair": (1, [2]),
        "point": Point(1, [2]),
        "task": Task("t", ["x"], Task("inner")),
        "tasks": [Task("a"), Task("b", ["y"])],
        "order": Order(items=[Item(name="i", counts={"a": [1]})], notes={"deep": {"er": [1]}}),
        "queue": deque([[1], [2]]),
        "counter": Counter("aab"),
        "groups": defaultdict(list, {"a": [[1]]}),
        "empty": {},
    }


def match_statement(s: Any) -> Any:
    match s:
        case {"people": [{"name": str(name), **others}, *rest], "pair": (one, [two]), **more}:
            rest[0]["langs"].append("py")
            return name, others, rest, one, two, sorted(map(str, more))
    return None


def match_class(s: Any) -> Any:
    match s["rows"], s["by_id"], s["task"]:
        case list(rows), dict(ids), Task(name=name, tags=[tag]):
            return rows, ids, name, tag
    return None


def augmented(s: Any) -> Any:
    s["n"] += 1
    s["numbers"] += [9]
    s["rows"] += [[0, "z"]]
    s["rows"][0] += [1]
    s["rows"] *= 2
    s["seen"] |= {7}
    s["by_id"] |= {"c": {"n": 3}}
    s["task"].tags += ["new"]
    return s


def deletions(s: Any) -> Any:
    del s["rows"][0], s["people"][0]["langs"], s["by_id"]["a"], s["numbers"][1:]
    del s["task"].tags[:]
    return s


def slices(s: Any) -> Any:
    rows = s["rows"]
    part = rows[1:]
    part[0].append("shared")
    rows[0:2] = [["new"]]
    rows[::2] = [[0], [1]][: len(rows[::2])]
    return rows, part, rows[::-1], rows[-1], rows[:0]


def unpacking(s: Any) -> Any:
    first, *others = s["rows"]
    (a, b), c = s["pair"], [*s["rows"], *s["numbers"]]
    others[0].append("x")
    return first, others, a, b, c, {**s["by_id"], "z": 1}


def call_with_stars(s: Any) -> Any:
    def called(*args: Any, **kwargs: Any) -> Any:
        kwargs["a"]["more"].append(len(args))
        args[0].append("seen")
        return args, kwargs

    return called(*s["rows"], **s["by_id"])


def sort_in_place(s: Any) -> Any:
    s["rows"].sort()
    s["people"].sort(key=lambda person: len(person["langs"]), reverse=True)
    s["rows"][0].append("smallest")
    return s


def sort_key_that_changes(s: Any) -> Any:
    s["people"].sort(key=lambda person: person["langs"].append("k") or person["name"])
    return s


def shuffled(s: Any) -> Any:
    random.Random(1).shuffle(s["rows"])
    return s["rows"], random.Random(2).choice(s["rows"]), random.Random(3).sample(s["rows"], 2)


def bisected(s: Any) -> Any:
    s["rows"].sort()
    bisect.insort(s["rows"], [2, "a"])
    return bisect.bisect(s["rows"], [2, "b"]), s["rows"]


def heap_of_atoms(s: Any) -> Any:
    heapq.heapify(s["numbers"])
    heapq.heappush(s["numbers"], 0)
    return heapq.heappop(s["numbers"]), s["numbers"], heapq.nsmallest(2, s["rows"]), heapq.nlargest(1, s["rows"])


def heap_of_lists_read(s: Any) -> Any:
    heapq.heapify(s["rows"])
    heapq.heappush(s["rows"], [0, "first"])
    return [heapq.heappop(s["rows"]) for _ in range(3)], s["rows"]


def identities(s: Any) -> Any:
    row, again = s["rows"][0], s["rows"][0]
    first = next(iter(s["rows"]))
    got = s.get("rows")
    return row is again, row is first, got is s["rows"], row in s["rows"], s["rows"].index(row)


def pops(s: Any) -> Any:
    row, value = s["rows"].pop(), s["by_id"].pop("a")
    last = s["by_id"].popitem()
    row.append("r")
    value["more"].append(2)
    last[1]["more"].append(3)
    return row, value, last, s["by_id"].pop("zz", None), s["rows"].pop(0), s


def setdefaults(s: Any) -> Any:
    s.setdefault("rows", []).append([4])
    s.setdefault("fresh", []).append(1)
    s["by_id"].setdefault("a", {})["more"].append(1)
    s["by_id"].setdefault("none")
    return s


def loop_and_change(s: Any) -> Any:
    for person in s["people"]:
        person["langs"].append("py")
    for key, value in s["by_id"].items():
        value["key"] = key
    for value in s["by_id"].values():
        value["more"].append(0)
    for task in s["tasks"]:
        task.tags.append("t")
    return s


def live_dict_views(s: Any) -> Any:
    keys, values, items = s["by_id"].keys(), s["by_id"].values(), s["by_id"].items()
    s["by_id"]["c"] = {"n": 3}
    return list(keys), list(values), list(items), keys & {"a", "q"}, len(items), ("c", {"n": 3}) in items, "a" in keys


def dict_changes_while_iterating(s: Any) -> Any:
    try:
        for _ in s["by_id"]:
            s["by_id"]["new"] = 1
    except RuntimeError as error:
        return str(error)
    return None


def comparisons(s: Any) -> Any:
    plain = state()
    return (
        *(s == plain, plain == s, s != plain, s["rows"] == plain["rows"], plain["rows"] == s["rows"]),
        *(s["rows"] < [[9]], s["rows"] < [[9]], s["rows"] <= s["rows"], s["rows"] >= [[]], s["task"] == plain["task"]),
        *(s["tasks"] == plain["tasks"], plain["tasks"] == s["tasks"], s["order"] == plain["order"]),
        *(s["point"] == plain["point"], s["pair"] == plain["pair"], s["rows"] != [], s["rows"] == (1,)),
    )


def membership(s: Any) -> Any:
    plain = state()
    return (
        *([1, "a"] in s["rows"], Task("a") in s["tasks"], plain["people"][0] in s["people"], "a" in s["by_id"]),
        *(s["rows"].count([1, "a"]), s["tasks"].index(Task("b", ["y"])), [9] in s["rows"]),
    )


def removals(s: Any) -> Any:
    s["rows"].remove([1, "a"])
    s["tasks"].remove(Task("a"))
    return s


def arithmetic(s: Any) -> Any:
    both, before, twice = s["rows"] + [[5]], [[0]] + s["rows"], s["rows"] * 2
    both[0].append("both")
    twice[0].append("twice")
    union, before_union = s["by_id"] | {"z": 1}, {"z": 1} | s["by_id"]
    union["a"]["more"].append("u")
    before_union["b"]["more"].append("u")
    return both, before, twice, 2 * s["numbers"], union, before_union, s


def wrong_operands(s: Any) -> Any:
    said = []
    for operation in (
        lambda: s["rows"] + (1,),
        lambda: (1,) + s["rows"],
        lambda: s["rows"] * 1.5,
        lambda: s["by_id"] | [1],
        lambda: s["rows"] < {},
        lambda: s["rows"]["x"],
        lambda: hash(s["rows"]),
        lambda: hash(s["by_id"]),
    ):
        try:
            operation()
        except TypeError:
            said.append("TypeError")
    lookups: list[Callable[[], Any]] = [
        lambda: s["rows"][99],
        lambda: s["by_id"]["zz"],
        lambda: s["rows"].pop(99),
        lambda: s.pop("zz"),
    ]
    for lookup in lookups:
        try:
            lookup()
        except LookupError as error:
            said.append(repr(error))
    return said


def copies(s: Any) -> Any:
    shallow, deep, own = copy.copy(s), copy.deepcopy(s), s["rows"].copy()
    shallow["rows"].append("both")
    deep["rows"].append("deep")
    own[0].append("both too")
    return shallow, deep, own, s, type(shallow), type(deep), type(own), type(s.copy()), type(list(s["rows"]))


def constructors(s: Any) -> Any:
    rows, ids = list(s["rows"]), dict(s["by_id"])
    rows[0].append("same row")
    ids["a"]["more"].append("same")
    return rows, ids, tuple(s["rows"]), deque(s["rows"]), OrderedDict(s["by_id"]), {**s["by_id"]}, s


def type_call(s: Any) -> Any:
    return type(s["rows"])([1]), type(s["by_id"])(a=1), type(s["rows"])(), type(s)([("a", 1)])


def serialised(s: Any) -> Any:
    part = {key: s[key] for key in ("n", "rows", "people", "by_id", "pair", "empty")}
    return json.dumps(part), json.dumps(s["people"], indent=1), json.dumps(s["by_id"], sort_keys=True)


def pickled(s: Any) -> Any:
    loaded = pickle.loads(pickle.dumps(s))
    return (
        loaded,
        type(loaded),
        type(loaded["rows"]),
        type(loaded["rows"][0]),
        [pickle.dumps(s["numbers"], n) for n in range(6)],
    )


def representations(s: Any) -> Any:
    return repr(s), str(s["rows"]), f"{s['by_id']}", pprint.pformat(s["people"]), "%s" % (s["rows"],)  # noqa: UP031


def formatted(s: Any) -> Any:
    return "{name} {n}".format(**s), "{rows[0][1]}".format_map(s), string.Template("$name").substitute(s)


def instances(s: Any) -> Any:
    kinds = (list, dict, Sequence, MutableSequence, Mapping, MutableMapping, Iterable)
    return [[isinstance(each, kind) for kind in kinds] for each in (s, s["rows"], s["numbers"], s["by_id"], s["empty"])]


def standard_library(s: Any) -> Any:
    rows = s["rows"]
    return (
        *(
            list(zip(rows, s["numbers"], strict=True)),
            list(enumerate(rows)),
            list(reversed(rows)),
            max(rows),
            min(rows),
        ),
        *(list(map(len, rows)), [*filter(None, rows)], any(rows), all(rows), sum(s["numbers"]), len(rows), bool(rows)),
        *(
            functools.reduce(operator.add, rows),
            list(itertools.chain(*rows)),
            list(itertools.chain.from_iterable(rows)),
        ),
        *(operator.itemgetter(0, 1)(rows), operator.itemgetter("n")(s), list(itertools.islice(rows, 2))),
        *(
            sorted(rows),
            sorted(s["people"], key=lambda person: person["name"], reverse=True),
            list(reversed(s["by_id"])),
        ),
        *(
            dict(zip("ab", rows, strict=False)),
            Counter(map(len, rows)),
            ChainMap({}, s["by_id"])["a"],
            ",".join(s["by_id"]),
        ),
        *(
            collections.deque(rows, 1),
            [row for row in rows if row[0] > 1],
            {key: [value] for key, value in s["by_id"].items()},
        ),
        set(map(tuple, rows)),
    )


def from_keys(s: Any) -> Any:
    return type(s["by_id"]).fromkeys("ab", 1), dict.fromkeys(s["by_id"])


def updates(s: Any) -> Any:
    plain: dict[str, Any] = {}
    plain.update(s["by_id"])
    s["by_id"].update(plain, c={"n": 3})
    s["by_id"].update([("d", [])])
    plain["a"]["more"].append("same")
    s["rows"].extend(s["people"])
    s["rows"].extend(row for row in [[1]])
    s["numbers"].extend(s["numbers"])
    s["rows"].insert(1, s["rows"])
    s["rows"].reverse()
    s["people"].clear()
    s["rows"].pop(s["rows"].index(s["rows"][2]) - 1)
    return str(s)


def plain_takes_view(s: Any) -> Any:
    plain: list[Any] = [0]
    plain += s["rows"]
    plain.extend(s["people"])
    plain[1:2] = s["rows"]
    plain[1].append("same")
    return plain, s


def dataclass_tools(s: Any) -> Any:
    task = s["task"]
    changed = dataclasses.replace(task, name="new")
    changed.tags.append("same list")
    return dataclasses.asdict(task), dataclasses.astuple(task), dataclasses.asdict(s["tasks"][1]), changed, vars(task)


def named_tuple_tools(s: Any) -> Any:
    point = s["point"]
    point.marks.append(5)
    return point._replace(x=5), point._asdict(), point.x, Point(*point), type(point), s["pair"]


def model_tools(s: Any) -> Any:
    order = s["order"]
    order.items[0].tags.append("t")
    order.items[0].counts["a"].append(2)
    order.notes["deep"]["er"].append(2)
    order.items.append(Item(name="j"))
    dumped = order.model_dump()
    return (
        *(dumped, order.model_dump_json(), order.model_dump(exclude_unset=True), type(dumped["items"][0]["counts"])),
        *(order.model_copy(), order.model_copy(update={"notes": {}}), order.model_copy(deep=True)),
        *(sorted(order.model_fields_set), type(order), type(order.items[0])),
    )


def validation(s: Any) -> Any:
    people = TypeAdapter(list[dict[str, Any]]).validate_python(s["people"])
    items = TypeAdapter(list[Item]).validate_python([{"name": "n", "tags": ["a"]}, *s["order"].items])
    order = Order.model_validate({"items": s["order"].items, "notes": s["by_id"]})
    task = TypeAdapter(Task).validate_python(s["task"])
    rows = TypeAdapter(list[list[int | str]]).validate_python(s["rows"], strict=True)
    rows[0].append(1)
    return people, items, order, task, rows, TypeAdapter(dict[str, dict[str, Any]]).validate_python(s["by_id"])


def serialised_by_pydantic(s: Any) -> Any:
    adapter = TypeAdapter(dict[str, Any])
    part = {key: s[key] for key in ("rows", "people", "by_id", "task", "order", "pair")}
    return adapter.dump_json(part), adapter.dump_python(part), TypeAdapter(list[Task]).dump_json(s["tasks"])


def copied_containers(s: Any) -> Any:
    s["queue"].appendleft([0])
    s["queue"][1].append("in")
    s["counter"].update("b")
    s["groups"]["new"].append(1)
    s["groups"]["a"][0].append(2)
    return s["queue"], s["counter"].most_common(), s["groups"], type(s["groups"]), s["groups"].default_factory


def sets(s: Any) -> Any:
    seen = s["seen"]
    seen.add(5)
    seen.discard(1)
    return seen, seen | {8}, seen & {5}, seen - {5}, {5} <= seen, type(seen), frozenset(seen), s["seen"] is seen


def assigned(s: Any) -> Any:
    s["new"] = s["rows"]
    s["new"].append("x")
    s["by_id"]["self"] = s["by_id"]
    s["task"].inner.tags = s["numbers"]
    s["task"].inner.tags.append(7)
    moved = s["people"]
    s["people"] = [*moved, moved[0]]
    s["people"][-1]["langs"].append("z")
    return str(s)


def executed(s: Any) -> Any:
    names: dict[str, Any] = {"s": s}
    exec("s['rows'][0].append('exec'); r = [x for x in s['rows']]", names)
    return names["r"], eval("rows[0]", {}, s)


SNIPPETS: list[Callable[[Any], Any]] = [
    *(arithmetic, assigned, augmented, bisected, call_with_stars, comparisons, constructors, copied_containers),
    *(copies, dataclass_tools, deletions, dict_changes_while_iterating, executed, formatted, from_keys),
    *(heap_of_atoms, heap_of_lists_read, identities, instances, live_dict_views, loop_and_change, match_class),
    *(match_statement, membership, model_tools, named_tuple_tools, pickled, plain_takes_view, pops, removals),
    *(representations, serialised, serialised_by_pydantic, setdefaults, sets, shuffled, slices, sort_in_place),
    *(sort_key_that_changes, standard_library, type_call, unpacking, updates, validation, wrong_operands),
]


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda snippet: snippet.__name__)
def test_code_does_on_a_view_what_it_does_on_the_plain_value(snippet: Callable[[Any], Any]) -> None:
    base, plain = freeze(state()), state()
    view = base.view()
    expected, got = snippet(plain), snippet(view)
    assert got == expected
    assert expected == got
    assert repr(got) == repr(expected)
    assert str(view) == str(plain)
    assert base.view() == state()
