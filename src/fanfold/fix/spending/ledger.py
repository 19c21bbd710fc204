"""What was set aside and what was spent, written down at once: a run that is killed has spent it all the same."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAME = "spent.jsonl"


@dataclass(frozen=True, kw_only=True)
class Amount:
    """Tokens and money; `known` = the money is all that it took, not only what is known of it."""

    tokens: int = 0
    cost_usd: float = 0.0
    known: bool = True

    def __add__(self, other: Amount) -> Amount:
        return Amount(
            tokens=self.tokens + other.tokens,
            cost_usd=self.cost_usd + other.cost_usd,
            known=self.known and other.known,
        )

    def __sub__(self, other: Amount) -> Amount:
        return Amount(tokens=self.tokens - other.tokens, cost_usd=self.cost_usd - other.cost_usd, known=self.known)


@dataclass
class Before:
    """What earlier processes of a run took.

    Attributes:
        spent: by the task's key; what they had set aside when they died is taken for spent.
        worked_s: seconds that agents were at work, by the task's key.
        elapsed_s: seconds that the run took.
    """

    spent: defaultdict[str, Amount] = field(default_factory=lambda: defaultdict(Amount))
    worked_s: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    elapsed_s: float = 0.0


class Ledger:
    """A file of lines, each written before what it says counts; without a path nothing is written.

    A line is small and goes to the kernel in one call, which outlives the process, though not the machine's power.
    Where the disk is full nothing can be set aside any more; what had been then counts in full in the next process.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.before = Before()
        self._count = 0
        self._file: int | None = None
        if path is not None:
            self._count = _read(path, self.before)
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._write({"began": True})

    def hold(self, task: str, amount: Amount, now_s: float) -> int:
        """An amount is set aside for a task; the number that settles it.

        Raises:
            OSError: it can't be written.
        """
        self._count += 1
        self._write({"hold": self._count, "task": task, **_told(amount), "now": now_s})
        return self._count

    def settle(self, number: int, task: str, amount: Amount, now_s: float) -> None:
        """So much of what was set aside, or beyond it, was spent."""
        with contextlib.suppress(OSError):
            self._write({"settle": number, "task": task, **_told(amount), "now": now_s})

    def add(self, task: str, amount: Amount, now_s: float) -> None:
        """So much was spent for which nothing had been set aside."""
        self._count += 1
        self.settle(self._count, task, amount, now_s)

    def worked(self, task: str, seconds: float, now_s: float) -> None:
        """An agent was at work on a task for so long."""
        with contextlib.suppress(OSError):
            self._write({"worked": seconds, "task": task, "now": now_s})

    def close(self) -> None:
        """Write no more."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _write(self, line: dict[str, Any]) -> None:
        if self._file is not None:
            text = b"\n" + json.dumps(line).encode()
            if os.write(self._file, text) < len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _told(amount: Amount) -> dict[str, Any]:
    return {"tokens": amount.tokens, "usd": amount.cost_usd, "known": amount.known}


def _read(path: Path, before: Before) -> int:
    """Take up what a file says; the highest number in it."""
    held: dict[int, tuple[str, Amount]] = {}
    last_s, highest = 0.0, 0
    for line in _lines(path):
        if "began" in line:
            before.elapsed_s, last_s = before.elapsed_s + last_s, 0.0
            continue
        last_s = max(last_s, float(line["now"]))
        task = str(line["task"])
        if "worked" in line:
            before.worked_s[task] += float(line["worked"])
            continue
        number = int(line.get("hold") or line["settle"])
        highest = max(highest, number)
        amount = Amount(tokens=int(line["tokens"]), cost_usd=float(line["usd"]), known=bool(line["known"]))
        if "hold" in line:
            held[number] = task, amount
        else:
            held.pop(number, None)
            before.spent[task] += amount
    for task, amount in held.values():
        before.spent[task] += amount
    before.elapsed_s += last_s
    return highest


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Those that are whole: the process may have died within the last one."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return
    for line in text.split(b"\n"):
        with contextlib.suppress(ValueError):
            told = json.loads(line)
            if isinstance(told, dict):
                yield told
