"""The workers that take branches, and those branches that wait for one."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from itertools import count

from fanfold.runtimes.cluster.link import Link

_SPARE = 64


class Roster:
    """Finds the least loaded worker, in a time that hardly grows with their number."""

    def __init__(self) -> None:
        self.links: dict[str, Link] = {}
        # By load; one that has changed since is still there under what it was, and is passed over.
        self._by_load: list[tuple[int, int, Link]] = []
        self._turns = count()
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def is_waited_for(self) -> bool:
        """Whether a branch waits for a worker."""
        return any(not waiting.done() for waiting in self._waiting)

    def add(self, link: Link) -> None:
        """A worker takes branches from now on."""
        self.links[link.worker] = link
        self.changed(link)
        for _ in range(len(self._waiting)):
            self._wake()

    def drop(self, worker: str) -> None:
        """It takes none any more."""
        self.links.pop(worker, None)

    def changed(self, link: Link) -> None:
        """A worker's load has changed."""
        if link.has_room and link.worker in self.links:
            if len(self._by_load) > 4 * len(self.links) + _SPARE:
                self._by_load = [(each.busy, next(self._turns), each) for each in self.links.values() if each.has_room]
                heapq.heapify(self._by_load)
            heapq.heappush(self._by_load, (link.busy, next(self._turns), link))
            self._wake()

    async def least_loaded(self) -> Link:
        """The least loaded worker that has room for one more; waits for one."""
        while (link := self._found()) is None:
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(waiting)
            try:
                await waiting
            except asyncio.CancelledError:
                if waiting.done() and not waiting.cancelled():
                    self._wake()
                raise
        return link

    def _found(self) -> Link | None:
        while self._by_load:
            busy, _, link = self._by_load[0]
            if busy == link.busy and link.has_room and self.links.get(link.worker) is link:
                return link
            heapq.heappop(self._by_load)
        return None

    def _wake(self) -> None:
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(None)
                return
