"""What the runtimes are asked to run: flows of functions that a worker in another process finds by name."""

from __future__ import annotations

import asyncio
import operator
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypedDict

from engine_peers.case import one_yield
from fanfold.engine import Outcome
from fanfold.runtimes import Flow, get_context

SPINS = 400_000


class State(TypedDict):
    """What `engine_peers.langgraph_peer` has as its graph's state, and what the branches share."""

    items: list[int]
    shared: dict[str, Any]
    results: Annotated[list[int], operator.add]


class Counted(TypedDict):
    """How many branches there are to be, and how many there were."""

    branches: int
    done: Annotated[int, operator.add]


class Marked(TypedDict):
    """A run whose branches leave marks: the file that they leave them in, and how long each takes on average."""

    items: list[int]
    marks: str
    each_s: float
    results: Annotated[list[int], operator.add]


def items_of(state: State | Marked) -> list[int]:
    """The numbers to fan out to."""
    return state["items"]


async def yielding(number: int, state: State) -> dict[str, Any]:
    """Gives way to its siblings once."""
    return {"results": [await one_yield(number, state["shared"])]}


async def spinning(number: int, state: State) -> dict[str, Any]:
    """Computes for some 20 ms and never waits."""
    total = 0
    for step in range(SPINS):
        total += step & 1
    return {"results": [number * 2 + (2 * total) // SPINS * state["shared"]["offset"]]}


async def marking(number: int, state: Marked) -> dict[str, Any]:
    """Waits, and leaves a mark before and after it; no two branches wait as long, so they end one by one."""
    leave(state["marks"], "began", number)
    await asyncio.sleep(state["each_s"] * (0.5 + number * 37 % 101 / 100))
    leave(state["marks"], "ended", number)
    return {"results": [number * 2 + 1]}


def counted(state: Counted) -> range:
    """As many items as there are to be branches."""
    return range(state["branches"])


async def elsewhere(number: int, state: Counted) -> dict[str, int]:
    """What simulated workers stand for."""
    raise AssertionError(f"branch {number} of {state['branches']} ran here instead of on a worker")


async def told(outcome: Outcome[Any]) -> None:
    """Leaves a mark for an outcome that the run knows of."""
    leave(get_context(Marks).path, "told", int(outcome.key))


@dataclass(frozen=True, slots=True)
class Marks:
    """Where `told` leaves its marks."""

    path: str


@dataclass(frozen=True, slots=True)
class Mark:
    """What a branch left: what it did, who it is, in which process, and when on the machine's steady clock."""

    what: str
    number: int
    pid: int
    at_s: float


def leave(path: str, what: str, number: int) -> None:
    """Add a mark; it is there whatever becomes of this process from now on."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(descriptor, f"{what} {number} {os.getpid()} {time.monotonic()}\n".encode())
    finally:
        os.close(descriptor)


def marks_in(path: Path) -> list[Mark]:
    """All marks so far, in the order in which they were left."""
    lines = path.read_text().splitlines() if path.exists() else []
    parts = [line.split() for line in lines]
    return [Mark(what, int(number), int(pid), float(at_s)) for what, number, pid, at_s in parts]


YIELDING = Flow(name="yielding", state=State, items=items_of, branch=yielding, key=str)
SPINNING = Flow(name="spinning", state=State, items=items_of, branch=spinning, key=str)
MARKING = Flow(name="marking", state=Marked, items=items_of, branch=marking, key=str, on_outcome=told)
SIMULATED = Flow(name="simulated", state=Counted, items=counted, branch=elsewhere, key=str)
FLOWS: dict[str, Flow[State]] = {"yield": YIELDING, "spin": SPINNING}
