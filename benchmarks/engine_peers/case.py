"""One measurement: how many branches of what work, over which state, and what has to come out."""

from __future__ import annotations

import asyncio
import functools
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

SMALL: dict[str, Any] = {"offset": 1, "notes": ["isolated"], "of": {"run": 7}}
SLEEP_S = 0.01
PER_FILE = 50
Files: TypeAlias = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Case:
    """What a peer is asked to run.

    Args:
        section: the table that it belongs to.
        work: what a branch does, a key of WORKS (or THREADED).
        n: branches.
        limit: branches running together; None = no limit.
        state_bytes: about how long the shared state is as JSON; 0 = a small one.
        variant: what else the section tells apart.
    """

    section: str
    work: str
    n: int
    limit: int | None
    state_bytes: int = 0
    variant: str = ""

    def expected(self) -> list[int]:
        """What the branches return, in item order."""
        return [number * 2 + 1 for number in range(self.n)]


@dataclass(frozen=True, slots=True)
class Run:
    """What is timed, and how its result reads.

    Args:
        call: the timed part.
        read: turns what `call` returned into the branches' values, in item order.
        extra: figures that the run itself takes, filled by `call` or `read`.
    """

    call: Callable[[], Awaitable[Any]]
    read: Callable[[Any], list[int]] = list
    extra: dict[str, float] = field(default_factory=dict)


def make_state(size: int, *, is_flat: bool = False) -> dict[str, Any]:
    """Findings of about `size` bytes as JSON, fifty to a file, or all in one list; made once for each size."""
    return _made(size, is_flat) if size else SMALL


@functools.cache
def _made(size: int, is_flat: bool) -> dict[str, Any]:
    each = len(json.dumps(_record(1000)))
    records = [_record(number) for number in range(max(1, size // each))]
    if is_flat:
        return {"offset": 1, "records": records}
    files = {_path(start // PER_FILE): records[start : start + PER_FILE] for start in range(0, len(records), PER_FILE)}
    return {"offset": 1, "files": files}


def _record(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "one": 1,
        "path": _path(number // PER_FILE),
        "message": f"`value_{number}` is assigned to but never used in this function",
        "tags": ["unused", "fixable"],
        "span": {"start": {"line": number % 900, "column": 5}, "end": {"line": number % 900, "column": 12}},
    }


def _path(number: int) -> str:
    return f"src/package_{number % 50}/module_{number}.py"


async def trivial(number: int, state: Any) -> int:
    """Neither waits nor yields."""
    offset: int = state["offset"]
    return number * 2 + offset


async def one_yield(number: int, state: Any) -> int:
    """Gives way to its siblings once."""
    await asyncio.sleep(0)
    offset: int = state["offset"]
    return number * 2 + offset


async def ten_ms(number: int, state: Any) -> int:
    """Waits for 10 ms, as for an answer over a network."""
    await asyncio.sleep(SLEEP_S)
    offset: int = state["offset"]
    return number * 2 + offset


async def tenth_s(number: int, state: Any) -> int:
    """Waits for 100 ms, as the nodes of H4's first criterion."""
    await asyncio.sleep(0.1)
    offset: int = state["offset"]
    return number * 2 + offset


async def read_one(number: int, state: Any) -> int:
    """Reads one record of the state."""
    record = _one_of(_files(state), number)
    await asyncio.sleep(0)
    one: int = record["one"]
    return number * 2 + one


async def read_one_of_list(number: int, state: Any) -> int:
    """Reads one record of a state that has all of them in one list."""
    records = state["records"]
    await asyncio.sleep(0)
    one: int = records[number % len(records)]["one"]
    return number * 2 + one


async def change_one(number: int, state: Any) -> int:
    """Appends to a list inside one record: right only where no sibling's append is seen."""
    tags: list[Any] = _one_of(_files(state), number)["tags"]
    await asyncio.sleep(0)
    tags.append(number)
    return number * 2 + len(tags) - 2


async def scan_all(number: int, state: Any) -> int:
    """Reads a field of every record."""
    files = _files(state)
    await asyncio.sleep(0)
    ones: list[int] = [record["one"] for records in files.values() for record in records]
    return number * 2 + sum(ones) // len(ones)


async def fail(number: int, _: Any) -> int:
    """Raises."""
    raise ValueError(number)


async def record_item(item: Any, state: Any) -> int:
    """As `one_yield`, over an item that is a record and not a number."""
    await asyncio.sleep(0)
    offset: int = state["offset"]
    number: int = item["id"]
    return number * 2 + offset


def _files(state: Any) -> Files:
    files: Files = state["files"] if isinstance(state, dict) else state.files
    return files


def _one_of(files: Files, number: int) -> dict[str, Any]:
    records = files[_path(number % len(files))]
    return records[number % len(records)]


WORKS: dict[str, Callable[[Any, Any], Awaitable[int]]] = {
    "trivial": trivial,
    "yield": one_yield,
    "10 ms": ten_ms,
    "100 ms": tenth_s,
    "read one": read_one,
    "read one of a list": read_one_of_list,
    "change one": change_one,
    "scan all": scan_all,
    "fail": fail,
    "record items": record_item,
}


def items_of(case: Case) -> list[Any]:
    """The case's items: numbers, or small records where the work asks for them."""
    if case.work == "record items":
        return [{"id": number, "tags": ["a", "b"], "span": {"line": number}} for number in range(case.n)]
    return list(range(case.n))


def in_thread(work: str, number: int, state: Mapping[str, Any]) -> int:
    """The same work for peers that call plain functions in threads."""
    if work != "trivial":
        time.sleep(SLEEP_S if work == "10 ms" else 0)
    offset: int = state["offset"]
    return number * 2 + offset
