"""Lend out things of which there are only so many, such as GPUs."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping


class Resources:
    """Kinds of things, lent first come, first served.

    Who asks for several gets all of them at once. Who waits for one kind holds up nobody who needs only others.

    Args:
        amounts: how many there are of each kind.
    """

    def __init__(self, amounts: Mapping[str, int]) -> None:
        self.amounts = dict(amounts)
        self._free = dict(amounts)
        self._waiting: deque[tuple[asyncio.Future[None], Mapping[str, int]]] = deque()

    @property
    def lent(self) -> dict[str, int]:
        """How many of each kind are lent now."""
        return {kind: amount - self._free[kind] for kind, amount in self.amounts.items()}

    def take(self, wanted: Mapping[str, int]) -> bool:
        """Take what is wanted, unless that would mean to wait."""
        if any(kind in earlier for future, earlier in self._waiting if not future.done() for kind in wanted):
            return False
        return self._take(wanted)

    async def wait(self, wanted: Mapping[str, int]) -> None:
        """Take what is wanted, when those who came earlier for the same kinds have had theirs."""
        if self.take(wanted):
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((future, wanted))
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.give_back(wanted)
            else:
                self._serve()
            raise

    def give_back(self, lent: Mapping[str, int]) -> None:
        """Return what was taken, to whoever waits."""
        for kind, amount in lent.items():
            self._free[kind] += amount
        self._serve()

    def _take(self, wanted: Mapping[str, int]) -> bool:
        if any(self._free[kind] < amount for kind, amount in wanted.items()):
            return False
        for kind, amount in wanted.items():
            self._free[kind] -= amount
        return True

    def _serve(self) -> None:
        """Serve those who wait, in order; one who must wait on holds up the later ones who need the same kinds."""
        held_up: set[str] = set()
        left: deque[tuple[asyncio.Future[None], Mapping[str, int]]] = deque()
        while self._waiting and len(held_up) < len(self.amounts):
            future, wanted = self._waiting.popleft()
            if future.done():
                continue
            if held_up.isdisjoint(wanted) and self._take(wanted):
                future.set_result(None)
            else:
                held_up.update(wanted)
                left.append((future, wanted))
        self._waiting.extendleft(reversed(left))
