"""Show on stderr which sources are asked and what each came to: live on a terminal, line by line elsewhere."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from fanfold.cli.live import Display
from fanfold.cli.output import tell, visible
from fanfold.cli.words import plural, seconds
from fanfold.engine import Event
from fanfold.troubleshoot.arrivals import Arrivals
from fanfold.troubleshoot.ask import title
from fanfold.troubleshoot.state import ParallelState

MAX_CHARS = 120
STOPPING = "stopping"


@dataclass
class Asking:
    """What is known of the sources.

    Attributes:
        asked: when each was asked, in monotonic seconds.
        came_to: one line of words for each that has ended.
    """

    asked: dict[str, float] = field(default_factory=dict)
    came_to: dict[str, str] = field(default_factory=dict)


class SourceProgress:
    """Takes the events of a run and shows one line a source; a context manager, because a live display must end.

    Args:
        quiet: show nothing.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._asking = Asking()
        self._display = Display(lambda: lines(self._asking, time.monotonic()), quiet=quiet)
        self._arrivals = Arrivals(on_asked=self._asked, on_answered=self._answered)

    def __enter__(self) -> Self:
        self._display.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the live display, and leave its last lines to be read; more than once is no error."""
        was_live = self._display.is_live
        self._display.close()
        for line in lines(self._asking, time.monotonic()) if was_live else ():
            tell(line)

    def stopping(self) -> None:
        """Say that a signal was heard."""
        self.say(STOPPING)

    def say(self, text: str) -> None:
        """A line of its own."""
        self._display.say(text)

    def __call__(self, event: Event) -> None:
        """Take an event of the run."""
        self._arrivals(event)

    def _asked(self, name: str) -> None:
        self._asking.asked[name] = time.monotonic()

    def _answered(self, name: str, added: ParallelState, elapsed_s: float) -> None:
        self._asking.came_to[name] = f"{seconds(elapsed_s):>8}  {_words(name, added)}"
        if not self._display.is_live:
            self.say(self._asking.came_to[name])


def lines(asking: Asking, now_s: float) -> list[str]:
    """One line a source, in the order in which they were asked."""
    return [
        asking.came_to.get(name, f"{seconds(now_s - at_s):>8}  {visible(title(name))}: asked")
        for name, at_s in asking.asked.items()
    ]


def _words(name: str, added: ParallelState) -> str:
    """What came of a source, in one line: how much it found, and the first of it."""
    results = added.get("parallel_results", [])
    pieces = [piece for result in results if result["success"] for piece in result["data"]["evidence"]]
    if errors := added.get("errors"):
        return _line(f"{title(name)}: {'; '.join(errors)}")
    if not pieces:
        return _line(f"{title(name)}: nothing")
    return _line(f"{title(name)}: {plural(len(pieces), 'piece')} of evidence: {pieces[0]['text']}")


def _line(text: str) -> str:
    line = visible(" ".join(text.split()))
    return line if len(line) <= MAX_CHARS else f"{line[: MAX_CHARS - 3]}..."
