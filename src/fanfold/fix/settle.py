"""Find the changes that break what all of them come to, by halving, and leave the rest."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

C = TypeVar("C")


@dataclass(frozen=True)
class Settled(Generic[C]):
    """What may stay and what has to go.

    Args:
        kept: green together, in the order given.
        guilty: each is red on top of what was kept before it, in the order given.
        runs: how many sets were run.
    """

    kept: tuple[C, ...]
    guilty: tuple[C, ...]
    runs: int


async def settle(changes: Sequence[C], run: Callable[[Sequence[C]], Awaitable[bool]]) -> Settled[C]:
    """Take out of a red set of changes what makes it red.

    Args:
        changes: n changes that are red together, in the order in which they landed.
        run: whether a set of changes, in that same order, is green. The empty set is green and is never run,
            nor is the whole set again.
    Returns:
        What is left is green as a whole. Of changes that are green alone and red together the last one goes.
    Source:
        Batch and bisect, as bors-ng's README describes it; about 2 · log2(n) runs where one change is guilty. When
        the first half turns out green the second one is known to be red, and is halved without a run.
    """
    search = _Search(run)
    if changes:
        await search.red(tuple(changes))
    return Settled(tuple(search.kept), tuple(search.guilty), search.runs)


class _Search(Generic[C]):
    """A walk over the changes from first to last; `kept` is green at any time."""

    def __init__(self, run: Callable[[Sequence[C]], Awaitable[bool]]) -> None:
        self._run = run
        self.kept: list[C] = []
        self.guilty: list[C] = []
        self.runs = 0

    async def red(self, group: tuple[C, ...]) -> None:
        """Divide a group that is known to be red on top of what is kept."""
        if len(group) == 1:
            self.guilty += group
            return
        middle = len(group) // 2
        if await self.unknown(group[:middle]):
            await self.red(group[middle:])
        else:
            await self.unknown(group[middle:])

    async def unknown(self, group: tuple[C, ...]) -> bool:
        """Run a group on top of what is kept; keep it where it is green, else divide it."""
        self.runs += 1
        if await self._run((*self.kept, *group)):
            self.kept += group
            return True
        await self.red(group)
        return False
