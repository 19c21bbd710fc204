"""What a run notes of its own steps, so that a later process can tell how far it came."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from fanfold.engine import Journal

Note: TypeAlias = Mapping[str, Any]
"""One step, as JSON."""


class RunLog(Protocol):
    """Takes notes in the order in which they are made, by their kind."""

    async def note(self, kind: str, value: Note) -> None:
        """Write it down; it is durable when this returns."""
        ...

    def noted(self, kind: str) -> Sequence[Note]:
        """All notes of one kind, those of earlier processes first."""
        ...


class Unlogged:
    """Keeps notes as long as the process lives: for runs that nobody resumes."""

    def __init__(self) -> None:
        self._notes: defaultdict[str, list[Note]] = defaultdict(list)

    async def note(self, kind: str, value: Note) -> None:
        """Keep it in memory."""
        self._notes[kind].append(value)

    def noted(self, kind: str) -> Sequence[Note]:
        """All notes of one kind, in order."""
        return tuple(self._notes[kind])


class Journaled:
    """Notes in the run's journal, for whoever resumes it; made together, they share one commit to the disk."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def note(self, kind: str, value: Note) -> None:
        """Write it down; it is durable when this returns."""
        await self._journal.note(kind, dict(value))

    def noted(self, kind: str) -> Sequence[Note]:
        """All notes of one kind, those of earlier processes first."""
        return tuple(self._journal.notes(kind))
