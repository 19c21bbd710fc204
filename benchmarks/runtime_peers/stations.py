"""Simulated workers at the other end of the cluster runtime's own connections: its placement runs as it is.

What is simulated is Dask: who the workers are, and the connection to each. Messages are passed on as they are; Dask
would write them as msgpack to a socket, which is measured on a real cluster and added to the clock.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fanfold.runtimes.cluster.facts import of_flow
from runtime_peers.fleet import Fleet
from runtime_peers.flows import SIMULATED

Message = dict[str, Any]


class Stations:
    """Stands for the scheduler: knows the workers, and replaces those that die.

    Args:
        fleet: has the branches' durations, and the chances.
        count: how many workers there are.
    """

    address = "simulated"

    def __init__(self, fleet: Fleet, count: int, *, back_s: float, spend: Callable[[], None]) -> None:
        self.fleet = fleet
        self.spend = spend
        self._back_s = back_s
        self._names = itertools.count()
        self._there: dict[str, Station] = {}
        for _ in range(count):
            self._hire()

    async def workers(self) -> dict[str, int]:
        """How many threads each worker has, by address."""
        return dict.fromkeys(self._there, 1)

    async def close(self) -> None:
        """Nothing is open."""

    @asynccontextmanager
    async def connected(self, worker: str, *_: Any, **__: Any) -> AsyncIterator[Station]:
        """The connection to a worker."""
        station = self._there.get(worker)
        if station is None:
            raise OSError(f"{worker} is gone")
        yield station

    def gone(self, name: str) -> None:
        """A worker died; another takes its place after a while."""
        del self._there[name]
        asyncio.get_running_loop().call_later(self._back_s, self._hire)

    def _hire(self) -> None:
        name = f"tcp://127.0.0.1:{next(self._names)}"
        self._there[name] = Station(name, self)


class Station:
    """One worker, and the connection to it."""

    def __init__(self, name: str, stations: Stations) -> None:
        self._name = name
        self._stations = stations
        self._loop = asyncio.get_running_loop()
        self._answers: list[Message] = []
        self._more = asyncio.Event()
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._is_dead = False
        lives_s = stations.fleet.next_death()
        self._death = self._loop.call_later(lives_s, self._die) if lives_s != float("inf") else None

    async def write(self, sent: Message | list[Message]) -> None:
        """Take what the coordinator sends."""
        self._check()
        for message in sent if isinstance(sent, list) else [sent]:
            self._take(message)

    async def read(self) -> tuple[Message, ...]:
        """What the worker says next, all of it."""
        while not self._answers and not self._is_dead:
            self._more.clear()
            await self._more.wait()
        self._check()
        answers, self._answers = tuple(self._answers), []
        return answers

    def abort(self) -> None:
        """The coordinator has given the connection up."""
        if self._death is not None:
            self._death.cancel()
        for timer in self._timers.values():
            timer.cancel()

    def _take(self, message: Message) -> None:
        match message["op"]:
            case "start":
                self._stations.spend()
                number = int(message["key"])
                takes_s = self._stations.fleet.takes_s(number)
                self._timers[message["call"]] = self._loop.call_later(takes_s, self._done, message["call"])
            case "prepare":
                self._say({"op": "ready"})
            case "bye":
                self._say({"op": "left"})
            case _:
                self._say({"op": "welcome", "flow": of_flow(SIMULATED)})

    def _done(self, call: int) -> None:
        del self._timers[call]
        self._say({"op": "done", "call": call, "value": '{"done": 1}'})

    def _say(self, message: Message) -> None:
        self._answers.append(message)
        self._more.set()

    def _die(self) -> None:
        self._is_dead = True
        self._stations.fleet.lost += len(self._timers)
        self.abort()
        self._stations.gone(self._name)
        self._more.set()

    def _check(self) -> None:
        if self._is_dead:
            raise OSError(f"{self._name} died")
