"""Runs the command line in processes that can be killed: forked, so that each begins in no time."""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
import time
import traceback
from collections import Counter
from typing import TypedDict

import fanfold.cli.fix
import fanfold.cli.resume
import fanfold.cli.runs  # noqa: F401  loads what each process would have to load otherwise
from fanfold.cli.main import main
from fanfold.engine import Codec, Journal
from fanfold.fix.flow import FIX
from fanfold.fix.runs import record
from fanfold.runtimes.types import type_of
from fanfold.testing import crash


class Order(TypedDict):
    """A command to run, where, and when to die, if at all.

    `step` is one of the journal's, with the time that it is reached; `counted` names a file for how often each was.
    """

    args: list[str]
    cwd: str
    state: str
    said: str
    kill_after_s: float | None
    step: tuple[str, int] | None
    counted: str | None


def run(order: Order) -> int:
    """Fork, kill if asked to, and wait; how the process ended, as `subprocess` says it."""
    child = os.fork()
    if child == 0:
        os._exit(_fanfold(order))
    if order["kill_after_s"] is not None:
        time.sleep(order["kill_after_s"])
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _fanfold(order: Order) -> int:
    os.setsid()
    said = os.open(order["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(said, stream)
    os.chdir(order["cwd"])
    os.environ["FANFOLD_FIX_STATE"] = order["state"]
    steps: Counter[str] = Counter()
    if order["step"] is not None:
        at_step = crash.at_step(order["step"][0], time=order["step"][1])
        record.open_journal = functools.partial(Journal.open, on_step=at_step)
    elif order["counted"] is not None:
        count = functools.partial(_count, steps)
        record.open_journal = functools.partial(Journal.open, on_step=count)
    try:
        code = main(order["args"])
    except BaseException:  # noqa: BLE001 what is forked must not go on as its parent
        traceback.print_exc()
        code = 99
    if order["counted"] is not None:
        with open(order["counted"], "w") as file:  # noqa: PTH123
            json.dump(steps, file)
    sys.stdout.flush()
    return code


def _count(steps: Counter[str], step: str) -> None:
    steps[step] += 1


if __name__ == "__main__":
    Codec(type_of(FIX, FIX.hops[-1]))
    for line in sys.stdin:
        sys.stdout.write(f"{run(json.loads(line))}\n")
        sys.stdout.flush()
