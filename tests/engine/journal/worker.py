"""A program with a journal, for tests to kill: forks a process for each line that it reads, and tells how it ended.

Forked, for a fresh interpreter takes longer to start than a run takes to finish. What is forked has no thread.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, TypedDict

from fanfold.engine import Done, Failed, fan_out
from fanfold.engine.content import Codec
from fanfold.engine.journal import Journal
from fanfold.testing import crash


class Order(TypedDict):
    """What a process is to do: a run of `outer` branches with `inner` branches each, and how to die, if at all.

    Branch `doomed` always fails. `kill_after_s` counts from the start of the process, or from when its journal is open.
    """

    outer: int
    inner: int
    doomed: int
    journal: str
    run: str
    effects: str
    synchronous: str
    step: tuple[str, int] | None
    after: int | None
    kill_after_s: float | None
    kill_when_open: bool


async def flow(order: Order, opened: int) -> None:
    """Two levels of fan-out, and a line in the log for every branch that runs."""
    effects = os.open(order["effects"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    async def inner_branch(item: tuple[int, int], state: dict[str, int]) -> dict[str, int]:
        outer, inner = item
        # What is written survives the death of its process, flushed to disk or not.
        os.write(effects, f"{outer}/{inner}\n".encode())
        await asyncio.sleep((outer * inner % 7) / 3000)
        return {"product": outer * inner, **state}

    async def outer_branch(outer: int) -> int:
        os.write(effects, f"{outer}\n".encode())
        items = [(outer, inner) for inner in range(order["inner"])]
        inner_outcomes = await fan_out(journaled, items, limit=4, state={"offset": 1000}, key=lambda item: str(item[1]))
        if outer == order["doomed"]:
            raise RuntimeError("this one always fails")
        return sum(outcome.value["product"] for outcome in inner_outcomes if isinstance(outcome, Done))

    die: Callable[..., Any] = crash.after(order["after"]) if order["after"] is not None else lambda branch: branch
    async with Journal.open(
        order["journal"],
        run=order["run"],
        version="1",
        synchronous="FULL" if order["synchronous"] == "FULL" else "NORMAL",
        on_step=crash.at_step(order["step"][0], time=order["step"][1]) if order["step"] else None,
    ) as journal:
        os.close(opened)
        journaled = journal.wrap(die(inner_branch), name="inner")
        outcomes = await fan_out(journal.wrap(outer_branch, name="outer"), range(order["outer"]), limit=4)
    for outer, outcome in enumerate(outcomes):
        if outer == order["doomed"]:
            assert isinstance(outcome, Failed), outcome
        else:
            assert isinstance(outcome, Done), outcome
            assert outcome.value == outer * sum(range(order["inner"])), outcome


def run(order: Order) -> int:
    """Fork, kill if asked to, and wait; how the process ended, as `subprocess` says it."""
    wait_open, opened = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            asyncio.run(flow(order, opened))
            status = 0
        except BaseException:  # noqa: BLE001 what is forked must not go on as its parent
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(opened)
    if order["kill_when_open"]:
        os.read(wait_open, 1)
    os.close(wait_open)
    if order["kill_after_s"] is not None:
        time.sleep(order["kill_after_s"])
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    Codec(dict[str, int])  # loads what each process would have to load otherwise
    for line in sys.stdin:
        sys.stdout.write(f"{run(json.loads(line))}\n")
        sys.stdout.flush()
