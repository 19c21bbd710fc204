"""Runs the command line in processes that can be killed: forked, so that each begins in no time."""

from __future__ import annotations

import contextlib
import functools
import gc
import io
import json
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
import unittest.mock
from collections import Counter
from pathlib import Path
from typing import TypedDict

import fanfold.git.overlay.workspace  # noqa: F401  loaded for them all, as below
from fanfold.cli.main import main
from fanfold.engine import Journal
from fanfold.fix.runs import record
from fanfold.testing import crash
from fanfold.testing.repositories import make_repository


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
    _do_all_once()
    gc.collect()
    gc.freeze()  # what is looked at for garbage is copied for each process
    for line in sys.stdin:
        order: Order = json.loads(line)
        child = os.fork()
        if child == 0:
            os._exit(_fanfold(order))
        _answer(child)
        _answer(_ended(child, order["kill_after_s"]))


def _do_all_once() -> None:
    """Fix a file in this very process: what that imports and builds, no process that is forked from it has to."""
    agent = f"{sys.executable} -S -E -c \"open('a.py', 'w')\""
    with tempfile.TemporaryDirectory() as folder:
        root = make_repository(Path(folder, "user"), {"a.py": "import os\n"}).root
        places = ("--workspaces", f"{folder}/home", "--agent-command", agent)
        options = ("--check", "ruff", "--tests", "none", "--runtime", "native", "--output-format", "json", "--quiet")
        # Overlays take their process to a namespace of its own, which its copies would share.
        settings = {"STATE": f"{folder}/state", "ALLOW": "unrelated", "WORKSPACE_KIND": "plain"}
        environment = {f"FANFOLD_FIX_{name}": value for name, value in settings.items()}
        with (
            contextlib.chdir(root),
            unittest.mock.patch.dict(os.environ, environment),
            contextlib.redirect_stdout(io.StringIO()) as said,
        ):
            main(["fix", *places, *options])
    assert '"fixed"' in said.getvalue(), said.getvalue()
    assert threading.active_count() == 1


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
