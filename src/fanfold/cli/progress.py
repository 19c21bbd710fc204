"""Show on stderr what a run is doing: live on a terminal, line by line elsewhere."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from fanfold.agents.protocol import BudgetExhausted
from fanfold.cli.live import Display
from fanfold.cli.output import visible
from fanfold.cli.words import plural, seconds
from fanfold.engine import BranchCancelled, BranchFinished, BranchQueued, BranchStarted, Done, Outcome
from fanfold.fix.attempts.attempt import Attempted
from fanfold.fix.events import Phase
from fanfold.fix.failure import words_of

MAX_RUNNING_SHOWN = 8
MAX_REASON_CHARS = 200
STOPPING = "stopping; what has landed stays (once more to end at once)"


@dataclass
class Tally:
    """What is known of the run's progress.

    Attributes:
        total: files, those included that are yet to be queued.
        running: when each file was started, in monotonic seconds.
    """

    phase: str = "starting"
    total: int = 0
    queued: int = 0
    done: int = 0
    failed: int = 0
    running: dict[str, float] = field(default_factory=dict)
    started_s: float = field(default_factory=time.monotonic)


class Progress:
    """Takes a run's events, one call each, and shows them; a context manager, because a live display must end.

    Args:
        quiet: show nothing.
        verbose: say of each file when it starts, too.
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self._verbose = verbose
        self._tally = Tally()
        self._display = Display(lambda: live_lines(self._tally, time.monotonic()), quiet=quiet)

    def __enter__(self) -> Self:
        self._display.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the live display and give the cursor back; more than once is no error."""
        self._display.close()

    def stopping(self) -> None:
        """Say that a signal was heard."""
        self._tally.phase = "stopping"
        self._say(STOPPING)

    def __call__(self, event: object) -> None:
        """Take an event; kinds that are not known are passed over."""
        tally = self._tally
        match event:
            case Phase(name, detail, files):
                tally.total += files
                tally.phase = f"{name} {visible(detail)}".strip()
                self._line(tally.phase)
            case BranchQueued():
                tally.queued += 1
                tally.total = max(tally.total, tally.queued)
            case BranchStarted(key=key):
                tally.running[key] = time.monotonic()
                if self._verbose:
                    self._line(f"started {visible(key)}")
            case BranchFinished(key=key, outcome=outcome):
                tally.running.pop(key, None)
                tally.done += 1
                tally.failed += not isinstance(outcome, Done)
                self._line(f"[{tally.done}/{tally.total}] {visible(key)}: {_words(outcome)}")

    def _line(self, text: str) -> None:
        if not self._display.is_live:
            self._say(text)

    def _say(self, text: str) -> None:
        passed = seconds(time.monotonic() - self._tally.started_s)
        self._display.say(text if self._display.is_live else f"{passed:>8}  {text}")


def live_lines(tally: Tally, now_s: float) -> list[str]:
    """The lines of the live display: the state of the run, then the files that have been running longest."""
    parts = [f"{seconds(now_s - tally.started_s):>8}  {tally.phase}"]  # a long phase must not push the time out
    if tally.total:
        parts.append(f"{tally.done} of {plural(tally.total, 'file')} done")
        parts.append(f"{tally.failed} failed")
        parts.append(f"{len(tally.running)} running")
    longest = sorted(tally.running.items(), key=lambda item: item[1])
    lines = [f"{seconds(now_s - started_s):>8}    {visible(key)}" for key, started_s in longest[:MAX_RUNNING_SHOWN]]
    more = len(longest) - MAX_RUNNING_SHOWN
    return [" | ".join(parts), *lines, *([f"            and {more} more"] if more > 0 else [])]


def _words(outcome: Outcome[Attempted]) -> str:
    """What came of a file, in one line."""
    if not isinstance(outcome, Done):
        if isinstance(outcome.error, BranchCancelled):
            return "cancelled"
        ended = "cancelled" if isinstance(outcome.error, BudgetExhausted) else "failed"
        return f"{ended} after {seconds(outcome.elapsed_s)}: {_reason(outcome.error)}"
    verdict, took = outcome.value.verdict, seconds(outcome.elapsed_s)
    if outcome.value.change is None:
        why = visible(" ".join("; ".join(verdict.reasons or outcome.value.why_left).split()))[:MAX_REASON_CHARS]
        return f"{'refused' if verdict.reasons else 'unchanged'} after {took}{why and f': {why}'}"
    left = f", {verdict.left} left" if verdict.left else ""
    return f"fixed {verdict.fixed}{left} in {took}"


def _reason(error: Exception) -> str:
    said = words_of(error, hint=False)
    return visible(" ".join(said.split()))[:MAX_REASON_CHARS]
