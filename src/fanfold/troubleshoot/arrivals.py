"""What each source adds, as it arrives."""

from __future__ import annotations

from collections.abc import Callable

from fanfold.engine import BranchFinished, BranchQueued, Done, Event
from fanfold.troubleshoot.flow import not_answered
from fanfold.troubleshoot.state import ParallelState


class Arrivals:
    """Takes the events of a run, and tells of the sources alone: they have fan-outs of their own, too.

    Args:
        on_asked: called with the name of each source that is going to be asked.
        on_answered: called with its name, what it adds to the state, and how many seconds it took.
    """

    def __init__(
        self, *, on_asked: Callable[[str], None], on_answered: Callable[[str, ParallelState, float], None]
    ) -> None:
        self._on_asked, self._on_answered = on_asked, on_answered
        self._depth: int | None = None

    def __call__(self, event: Event) -> None:
        """Take an event; kinds that tell nothing of a source are passed over."""
        if not isinstance(event, BranchQueued | BranchFinished):
            return
        if self._depth is None:
            self._depth = len(event.path)
        if len(event.path) > self._depth:
            return
        if isinstance(event, BranchQueued):
            self._on_asked(event.key)
        else:
            outcome = event.outcome
            added = outcome.value if isinstance(outcome, Done) else not_answered(outcome)
            self._on_answered(event.key, added, outcome.elapsed_s)
