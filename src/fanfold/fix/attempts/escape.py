"""Notice that something outside of an agent's workspace changed while it worked, and say at whose door that is laid."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace

from fanfold.agents.protocol import AgentError
from fanfold.git import Repository
from fanfold.git.footprint import Footprint, Touched, footprint, touched

_SLACK_NS = 20_000_000
"""By how much file systems may note a time early."""
_NAMED = 5


class Escaped(AgentError):
    """Something outside of the workspace was changed while the agent worked."""


@dataclass(frozen=True)
class Stretch:
    """The time that an agent worked on a file; `end_ns` None = it is at it."""

    path: str
    start_ns: int
    end_ns: int | None = None

    def covers(self, at_ns: int) -> bool:
        """Whether it worked at that time."""
        return self.start_ns - _SLACK_NS <= at_ns and (self.end_ns is None or at_ns <= self.end_ns)

    def meets(self, other: Stretch) -> bool:
        """Whether both worked at some time."""
        return (other.end_ns is None or self.start_ns <= other.end_ns) and (
            self.end_ns is None or other.start_ns <= self.end_ns
        )


@dataclass
class Lookout:
    """Watches the user's checkout and its git directory while agents work that could write there.

    Who changed what can't be seen, only what changed and when. So a change is laid at the door of every agent that
    worked when it happened, with one exception: a change of the very file that one of them works on is that one's. What
    the user does meanwhile looks the same; that is why the attempt alone is refused and may be made again: an agent
    that strays does so again.

    Looks are shared: agents that begin or end together take the same one.
    """

    repository: Repository
    _stretches: list[Stretch] = field(default_factory=list)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _latest: Footprint | None = None
    _began_s: float = 0.0

    @contextlib.asynccontextmanager
    async def over(self, path: str) -> AsyncIterator[list[Touched]]:
        """Watch one agent at work on a file; what is laid at its door is in the list once the context is left.

        Raises:
            GitError: the repository can't be looked at.
        """
        found: list[Touched] = []
        before = await self._look()
        mine = Stretch(path, time.time_ns())
        self._stretches.append(mine)
        try:
            yield found
        except asyncio.CancelledError:
            self._end(mine)
            raise
        except BaseException:
            await self._see(self._end(mine), before, found)
            raise
        await self._see(self._end(mine), before, found)

    def _end(self, mine: Stretch) -> Stretch:
        ended = replace(mine, end_ns=time.time_ns())
        self._stretches[self._stretches.index(mine)] = ended
        return ended

    async def _see(self, mine: Stretch, before: Footprint, found: list[Touched]) -> None:
        found += laid_at(mine, touched(before, await self._look()), self._stretches)

    async def _look(self) -> Footprint:
        """A look that began after this was called, whoever took it."""
        asked_s = time.monotonic()
        async with self._lock:
            if self._latest is None or self._began_s < asked_s:
                self._began_s = time.monotonic()
                self._latest = await footprint(self.repository, self._latest)
            return self._latest


def laid_at(mine: Stretch, changes: Sequence[Touched], all_stretches: Sequence[Stretch]) -> list[Touched]:
    """Those changes that the agent of one stretch may have made."""
    others = {one.path for one in all_stretches if one.path != mine.path and one.meets(mine)}
    return [one for one in changes if one.path not in others and (one.at_ns is None or mine.covers(one.at_ns))]


def words_for(changes: Sequence[Touched]) -> str:
    """What was changed, in a line."""
    names = ", ".join(one.path for one in changes[:_NAMED])
    more = f" and {len(changes) - _NAMED} more" if len(changes) > _NAMED else ""
    return f"{names}{more}"
