"""What was set aside and what was spent, written down at once: a run that is killed has spent it all the same."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fanfold.llm.usage import Usage

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


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """One attempt of an earlier process of the run.

    Args:
        agent: who worked.
        seconds: that it took, as far as they are known where the process died in its midst.
        usage: what it took, None = nobody knows; what it had set aside and never settled is taken for spent.
    """

    task: str
    agent: str
    seconds: float = 0.0
    usage: Usage | None = None


@dataclass
class Before:
    """What earlier processes of a run took.

    Attributes:
        attempts: by their ids.
        spent: by the task's key; what they had set aside when they died is taken for spent.
        worked_s: seconds that agents were at work, by the task's key.
        elapsed_s: seconds that the run took.
    """

    spent: defaultdict[str, Amount] = field(default_factory=lambda: defaultdict(Amount))
    worked_s: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    elapsed_s: float = 0.0
    attempts: dict[str, Earlier] = field(default_factory=dict)


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
            self._count = _Reader(self.before).read(path)
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._write({"began": True})

    def begin(self, attempt: str, task: str, agent: str, usage: Usage | None, now_s: float) -> None:
        """An attempt begins; `usage` is what it takes if nothing more is heard of it, None = nobody knows."""
        with contextlib.suppress(OSError):
            told = {"attempt": attempt, "task": task, "agent": agent, "usage": _figures(usage), "now": now_s}
            self._write(told)

    def hold(self, task: str, amount: Amount, now_s: float, attempt: str = "") -> int:
        """An amount is set aside for a task, in an attempt; the number that settles it.

        Raises:
            OSError: it can't be written.
        """
        self._count += 1
        self._write({"hold": self._count, "task": task, **_told(amount), "by": attempt, "now": now_s})
        return self._count

    def settle(self, number: int, task: str, amount: Amount, now_s: float, usage: Usage | None = None) -> None:
        """So much of what was set aside, or beyond it, was spent; `usage` has its figures, if they are known."""
        with contextlib.suppress(OSError):
            told = {"settle": number, "task": task, **_told(amount), "usage": _figures(usage), "now": now_s}
            self._write(told)

    def add(self, task: str, amount: Amount, now_s: float) -> None:
        """So much was spent for which nothing had been set aside."""
        self._count += 1
        self.settle(self._count, task, amount, now_s)

    def worked(self, task: str, seconds: float, now_s: float, attempt: str = "", usage: Usage | None = None) -> None:
        """An agent was at work on a task for so long, which ended an attempt; `usage` is what that took all in all."""
        with contextlib.suppress(OSError):
            told = {"worked": seconds, "task": task, "by": attempt, "usage": _figures(usage), "now": now_s}
            self._write(told)

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


def _figures(usage: Usage | None) -> list[float | None] | None:
    if usage is None:
        return None
    return [usage.requests, usage.input_tokens, usage.output_tokens, usage.cost_usd]


def _usage(told: list[Any] | None) -> Usage | None:
    if told is None:
        return None
    requests, asked, answered, cost_usd = told
    return Usage(requests=requests, input_tokens=asked, output_tokens=answered, cost_usd=cost_usd)


@dataclass
class _Reader:
    """Takes up what a file says.

    Attributes:
        held: what was set aside and isn't settled yet, by number: for which task and attempt, and how much.
        begun: when attempts began that haven't ended yet, on the clock of their process.
        highest: of all numbers.
    """

    before: Before
    held: dict[int, tuple[str, str, Amount]] = field(default_factory=dict)
    begun: dict[str, float] = field(default_factory=dict)
    highest: int = 0
    last_s: float = 0.0

    def read(self, path: Path) -> int:
        """Take up all lines; the highest number in them."""
        for line in _lines(path):
            if "began" in line:
                self._died()
            else:
                self._line(line)
        self._died()
        return self.highest

    def _line(self, line: dict[str, Any]) -> None:
        self.last_s = max(self.last_s, float(line["now"]))
        task = str(line["task"])
        if "attempt" in line:
            attempt = Earlier(task=task, agent=str(line["agent"]), usage=_usage(line["usage"]))
            self.before.attempts[line["attempt"]], self.begun[line["attempt"]] = attempt, float(line["now"])
        elif "worked" in line:
            self._ended(task, line.get("by", ""), float(line["worked"]), _usage(line.get("usage")))
        else:
            self._amount(task, line)

    def _amount(self, task: str, line: dict[str, Any]) -> None:
        number = int(line.get("hold") or line["settle"])
        self.highest = max(self.highest, number)
        amount = Amount(tokens=int(line["tokens"]), cost_usd=float(line["usd"]), known=bool(line["known"]))
        if "hold" in line:
            self.held[number] = task, line.get("by", ""), amount
            return
        _, by, _ = self.held.pop(number, (task, "", amount))
        self.before.spent[task] += amount
        self._took(by, _usage(line.get("usage")))

    def _took(self, by: str, usage: Usage | None) -> None:
        known = self.before.attempts.get(by)
        if known is not None and usage is not None:
            self.before.attempts[by] = replace(known, usage=(known.usage or Usage()) + usage)

    def _ended(self, task: str, by: str, seconds: float, usage: Usage | None) -> None:
        self.before.worked_s[task] += seconds
        self.begun.pop(by, None)
        if (known := self.before.attempts.get(by)) is not None:
            self.before.attempts[by] = replace(known, seconds=seconds, usage=usage)

    def _died(self) -> None:
        """What a process had set aside when it died is spent, and its attempts lasted as long as was heard of it."""
        for task, by, amount in self.held.values():
            self.before.spent[task] += amount
            if amount != Amount(known=False):
                cost_usd = amount.cost_usd if amount.known else None
                self._took(by, Usage(requests=1, input_tokens=amount.tokens, cost_usd=cost_usd))
        for by, began_s in self.begun.items():
            attempt, seconds = self.before.attempts[by], self.last_s - began_s
            self.before.worked_s[attempt.task] += seconds
            self.before.attempts[by] = replace(attempt, seconds=seconds)
        self.before.elapsed_s += self.last_s
        self.held.clear()
        self.begun.clear()
        self.last_s = 0.0


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
