"""One run on a cluster: which workers serve it, where each branch is placed, and what happens when one is lost."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from fanfold.engine import Codec, Limit, current_branch
from fanfold.runtimes.asking import Answer
from fanfold.runtimes.cluster.connect import Scheduler, connected
from fanfold.runtimes.cluster.errors import ClusterError, NoWorkers, RemoteError, WorkerFailed, WorkerLost
from fanfold.runtimes.cluster.facts import of_flow, refuse_difference
from fanfold.runtimes.cluster.failure import sendable
from fanfold.runtimes.cluster.link import Link
from fanfold.runtimes.cluster.reference import reference_of
from fanfold.runtimes.cluster.roomy import Roomy
from fanfold.runtimes.cluster.roster import Roster
from fanfold.runtimes.cluster.types import codecs_of, read, state_type
from fanfold.runtimes.cluster.wire import Message
from fanfold.runtimes.flow import Flow
from fanfold.runtimes.native import Hop
from fanfold.runtimes.run import Options

if TYPE_CHECKING:
    from distributed import Security

_log = logging.getLogger(__name__)

LOOK_S = 0.5
"""How often the scheduler is asked which workers there are."""

AGAIN_S = 0.3
"""How long the other workers may take when the first is ready, at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a run uses its workers: see `Cluster`.

    Attributes:
        is_bounded: workers say how many branches they take, where `capacity` doesn't.
    """

    security: Security
    is_encrypted: bool
    capacity: int | None
    is_bounded: bool
    patience_s: float
    max_losses: int


class Board:
    """Places the branches of a flow on workers, while it is entered.

    Attributes:
        flow: to be carried out: the given one, which prepares the workers after its own `prepare` steps.
        hops: stand-ins for its hops.
        options: of the run; their limit is no higher than what the workers take.
    Raises:
        FlowNotImportable, JournalError: the flow isn't one that can be sent.
        VersionsDiffer: on entering it, a worker that is there runs other code.
        NoWorkers: there are none; also in the midst of the run, when all are gone.
    """

    def __init__(self, flow: Flow[Any], options: Options, terms: Terms) -> None:
        self._flow = flow
        self._terms = terms
        self._reference = reference_of(flow)
        self._scheduler = Scheduler("", terms.security)
        self._codecs = codecs_of(flow)
        is_bounded = terms.is_bounded or terms.capacity is not None
        self._limit = Roomy(_limit_of(options)) if is_bounded else None
        self.options = dataclasses.replace(options, limit=self._limit or options.limit)
        self.flow = dataclasses.replace(flow, prepare=(*flow.prepare, self._prepare_workers))
        self.hops = tuple(self._stand_in(number) for number in range(len(flow.hops)))
        self._handed: asyncio.Future[tuple[bytes, str]] = asyncio.get_running_loop().create_future()
        self._serving: dict[str, asyncio.Task[None]] = {}
        self._opening: dict[str, asyncio.Future[None]] = {}
        self._roster = Roster()
        self._unfit: dict[str, ClusterError] = {}
        self._changed = asyncio.Event()
        self._error: ClusterError | None = None
        self._task: asyncio.Task[Any] | None = None
        self._cancelling = self._waits = 0
        self._watch: asyncio.Task[None] | None = None

    def at(self, scheduler: str) -> Board:
        """This board, with the workers of the scheduler at an address."""
        self._scheduler = Scheduler(scheduler, self._terms.security)
        return self

    async def __aenter__(self) -> Board:
        """Connect to the workers that are there, at least one."""
        self._task = asyncio.current_task()
        self._cancelling = self._task.cancelling() if self._task else 0
        try:
            self._notice(await self._scheduler.workers())
        except OSError as error:
            raise ClusterError(
                f"the cluster {self._scheduler.address} can't be reached: {error}", hint="start it: dask scheduler"
            ) from error
        self._watch = asyncio.create_task(self._watched(), name="watch the workers")
        try:
            await self._until(lambda: bool(self._opening))
            await asyncio.wait(list(self._opening.values()))
            for unfit in self._unfit.values():
                raise unfit
        except BaseException as error:
            await self._close()
            self._raise_reason(error)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Have the workers leave the run, and wait until they have."""
        await self._close()
        self._raise_reason(error)

    def _raise_reason(self, error: BaseException | None) -> None:
        """Raise what ended the run, where that, and nobody else, has cancelled it."""
        if self._error is None or self._task is None or not isinstance(error, asyncio.CancelledError):
            return
        if self._task.uncancel() <= self._cancelling:
            raise self._error from None

    async def _close(self) -> None:
        for worker, serving in self._serving.items():
            if worker in self._roster.links:
                self._roster.links[worker].bye()
            else:
                serving.cancel()
        if self._watch is not None:
            self._watch.cancel()
        cancelled: asyncio.CancelledError | None = None
        while tasks := [task for task in (*self._serving.values(), self._watch) if task and not task.done()]:
            try:
                await asyncio.wait(tasks)
            except asyncio.CancelledError as error:
                cancelled = error
                for task in tasks:
                    task.cancel()
        await self._scheduler.close()
        if cancelled is not None:
            raise cancelled

    def _stand_in(self, number: int) -> Hop:
        async def hop(value: Any, _: Any) -> Any:
            return await self._carried(number, value)

        return hop

    async def _carried(self, number: int, value: Any) -> Any:
        """The value that a hop has on some worker; on another one, when that one is lost."""
        given, returned = self._codecs[number]
        message = self._message(number, given.encode(value))
        lost: list[str] = []
        while len(lost) < self._terms.max_losses:
            link = await self._roster.least_loaded()
            try:
                async with self._attended() as answers:
                    return read(await link.carry(message, answers), returned)
            except WorkerLost as error:
                _log.warning("%s is placed again: the worker %s was lost", message["key"], error.worker)
                lost.append(error.worker)
        raise WorkerFailed(
            f"{message['key']} was placed {len(lost)} times, and each time its worker was lost: {', '.join(lost)}",
            hint="see the workers' logs: does this branch use up the memory, or end its process?",
        )

    @asynccontextmanager
    async def _attended(self) -> AsyncIterator[Answer | None]:
        """Who answers the branch while it is on one worker."""
        branch = current_branch()
        if self._flow.attend is None or branch is None:
            yield None
            return
        async with self._flow.attend(branch.key) as answers:
            yield answers

    def _message(self, number: int, value: str) -> Message:
        branch = current_branch()
        if branch is None:
            raise ClusterError("a hop can be placed on a worker only from within its branch")
        return {
            "hop": number,
            "value": value,
            "key": sendable(branch.key),
            "path": json.dumps(branch.path),
            "index": branch._index,
            "attempt": branch.attempt,
            "limited": bool(branch._place.chain),
            "journaled": _journaled() if self.options.journal is not None else None,
        }

    async def _prepare_workers(self, state: Any) -> None:
        """The last step before the branches: what all workers need goes to each, and one at least is ready."""
        text = Codec[Any](state_type(self._flow.state)).encode(state)
        pack = b"" if self._flow.pack is None else await self._flow.pack()
        self._handed.set_result((bytes(pack), text))
        time_s = asyncio.get_running_loop().time
        began_s = time_s()
        await self._until(lambda: bool(self._roster.links))
        # So that the first one isn't given all: the others have as long again, and are used later if they need more.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(AGAIN_S, time_s() - began_s)):
                await self._until(lambda: len(self._roster.links) == len(self._serving))

    async def _until(self, met: Any) -> None:
        self._waits += 1
        try:
            while not met():
                self._changed.clear()
                await self._changed.wait()
        finally:
            self._waits -= 1

    async def _watched(self) -> None:
        """Use workers that come, give up those that go; without any for too long, the run ends."""
        time_s = asyncio.get_running_loop().time
        since_s = time_s()
        reason: OSError | None = None
        while self._error is None:
            await asyncio.sleep(LOOK_S * (1 + len(self._serving) / 100))
            try:
                self._notice(await self._scheduler.workers())
            except OSError as error:
                reason = error
            if self._serving or not self._is_waited_for:
                since_s = time_s()
            elif time_s() - since_s >= self._terms.patience_s:
                self._fail(self._no_workers(reason))

    @property
    def _is_waited_for(self) -> bool:
        """Whether the run can't go on without a worker: its steps can."""
        return self._waits > 0 or self._roster.is_waited_for

    def _notice(self, workers: dict[str, int]) -> None:
        for worker, threads in workers.items():
            if worker not in self._serving and worker not in self._unfit:
                self._opening[worker] = asyncio.get_running_loop().create_future()
                self._serving[worker] = asyncio.create_task(self._serve(worker, threads), name=f"serve {worker}")
        for worker in self._roster.links.keys() - workers.keys():
            self._roster.links[worker].abort()
        self._changed.set()

    async def _serve(self, worker: str, threads: int) -> None:
        """A worker's part in the run, to its end."""
        try:
            async with connected(worker, self._terms.security, encrypted=self._terms.is_encrypted) as comm:
                link = Link(worker, self._capacity(threads), comm, self._roster.changed, self.options.journal)
                there = await link.open(self._reference)
                refuse_difference(of_flow(self._flow), there, worker)
                self._opened(worker)
                await link.prepare(*await asyncio.shield(self._handed))
                self._joined(link)
                await link.serve()
        except ClusterError as error:
            _log.warning("the worker %s isn't used: %s", worker, error)
            self._unfit[worker] = error
        except OSError as error:
            _log.info("the worker %s is gone: %s", worker, error)
        finally:
            self._roster.drop(worker)
            self._opened(worker)
            del self._serving[worker]
            self._fit_limit()
            self._changed.set()

    def _opened(self, worker: str) -> None:
        opening = self._opening.get(worker)
        if opening is not None and not opening.done():
            opening.set_result(None)

    def _joined(self, link: Link) -> None:
        self._roster.add(link)
        self._fit_limit()
        self._changed.set()

    def _capacity(self, threads: int) -> int | None:
        return self._terms.capacity or (threads if self._terms.is_bounded else None)

    def _fit_limit(self) -> None:
        """Start no more branches than the workers take: one that waits for a worker would lose of its deadline."""
        if self._limit is not None and self._roster.links:
            self._limit.resize(sum(link.capacity or 0 for link in self._roster.links.values()))

    def _no_workers(self, reason: OSError | None) -> NoWorkers:
        unfit = [error for error in self._unfit.values() if isinstance(error, RemoteError)]
        why = f": {unfit[-1]}" if unfit else f": {reason}" if reason is not None else ""
        error = NoWorkers(
            f"the cluster {self._scheduler.address} has had no worker for {self._terms.patience_s:g} s{why}",
            hint="start workers and run it again; with a journal, what is finished isn't run again",
        )
        error.__cause__ = unfit[-1] if unfit else reason
        return error

    def _fail(self, error: ClusterError) -> None:
        """End the run: its branches can't go on."""
        self._error = error
        if self._task is not None:
            self._task.cancel()


def _limit_of(options: Options) -> Limit:
    return options.limit if isinstance(options.limit, Limit) else Limit(options.limit)


def _journaled() -> str | None:
    """What `idempotency_key` needs to know where the branch runs."""
    from fanfold.engine.journal.effects import running  # noqa: PLC0415 only where there is a journal

    call = running.get()
    if call is None:
        return None
    return json.dumps([call.uid, call.key, call.path, call.turn])
