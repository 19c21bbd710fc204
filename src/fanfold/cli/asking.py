"""Show on stderr which sources are asked and what each came to: live on a terminal, line by line elsewhere."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING

from fanfold.cli.live import started_live
from fanfold.cli.output import tell, visible
from fanfold.cli.words import plural, seconds
from fanfold.engine import Event
from fanfold.troubleshoot.arrivals import Arrivals
from fanfold.troubleshoot.ask import title
from fanfold.troubleshoot.state import ParallelState

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

MAX_CHARS = 120
STOPPING = "stopping"


@dataclass
class Asking:
    """What is known of the sources; `came_to` holds one line of words for each that has ended."""

    asked: list[str] = field(default_factory=list)
    came_to: dict[str, str] = field(default_factory=dict)
    began_s: float = field(default_factory=time.monotonic)


class SourceProgress:
    """Takes the events of a run and shows one line a source; a context manager, because a live display must end.

    Args:
        quiet: show nothing.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._asking = Asking()
        self._live: Live | None = None
        self._arrivals = Arrivals(on_asked=self._asking.asked.append, on_answered=self._answered)

    def __enter__(self) -> SourceProgress:
        if not self._quiet:
            self._live = started_live(self._render)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the live display, and leave its last lines to be read; more than once is no error."""
        live, self._live = self._live, None
        if live is not None:
            live.stop()
            for line in lines(self._asking, time.monotonic()):
                tell(line)

    def stopping(self) -> None:
        """Say that a signal was heard."""
        self.say(STOPPING)

    def say(self, text: str) -> None:
        """A line of its own."""
        if self._quiet:
            return
        if self._live is not None:
            self._live.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            tell(text)

    def __call__(self, event: Event) -> None:
        """Take an event of the run."""
        self._arrivals(event)

    def _answered(self, name: str, added: ParallelState, elapsed_s: float) -> None:
        self._asking.came_to[name] = f"{seconds(elapsed_s):>8}  {_words(name, added)}"
        if self._live is None:
            self.say(self._asking.came_to[name])

    def _render(self) -> Text:
        from rich.text import Text  # noqa: PLC0415  only terminals need it

        return Text("\n".join(lines(self._asking, time.monotonic())), overflow="ellipsis", no_wrap=True)


def lines(asking: Asking, now_s: float) -> list[str]:
    """One line a source, in the order in which they were asked."""
    waiting = f"{seconds(now_s - asking.began_s):>8}"
    return [asking.came_to.get(name, f"{waiting}  {visible(title(name))}: asked") for name in asking.asked]


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
