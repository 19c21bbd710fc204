"""Runs the command line in processes that can be killed: forked, so that each begins in no time."""

from __future__ import annotations

import functools
import gc
import importlib
import json
import os
import signal
import sys
import time
import traceback
from collections import Counter
from typing import TypedDict

from fanfold.cli.main import main
from fanfold.engine import Codec, Journal
from fanfold.fix.flow import FIX
from fanfold.fix.runs import record
from fanfold.runtimes.types import type_of
from fanfold.testing import crash

LOADED = (
    "fanfold.agents.command",
    "fanfold.cli.app",
    "fanfold.cli.fix",
    "fanfold.cli.resume",
    "fanfold.cli.runs",
    "fanfold.cli.undo",
    "fanfold.fix.checkers.ruff",
    "fanfold.git.overlay.workspace",
    "jinja2.sandbox",
)
"""What each process would have to load otherwise."""


class Order(TypedDict):
    """A command to run, where, with which environment, what takes its output, and when to die, if at all.

    `step` is one of the journal's, with the time that it is reached; `counted` names a file for how often each was.
    """

    args: list[str]
    cwd: str
    environment: dict[str, str]
    out: str
    err: str
    kill_after_s: float | None
    step: tuple[str, int] | None
    counted: str | None


def serve() -> None:
    """For each order, a line of JSON, answer with the id of its process and, on its end, with its exit code."""
    for name in LOADED:
        importlib.import_module(name)
    Codec(type_of(FIX, FIX.hops[-1]))
    gc.collect()
    gc.freeze()  # what is looked at for garbage is copied for each process
    for line in sys.stdin:
        order: Order = json.loads(line)
        child = os.fork()
        if child == 0:
            os._exit(_fanfold(order))
        _answer(child)
        _answer(_ended(child, order["kill_after_s"]))


def _answer(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _ended(child: int, kill_after_s: float | None) -> int:
    """How the process ended, as `subprocess` says it."""
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _fanfold(order: Order) -> int:
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for stream, name in ((1, order["out"]), (2, order["err"])):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND), stream)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["environment"])
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
    serve()
