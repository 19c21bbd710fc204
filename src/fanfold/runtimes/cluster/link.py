"""A coordinator's connection to one worker, for one run."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from fanfold.engine import current_branch
from fanfold.engine.branch import Branch
from fanfold.runtimes.asking import Answer
from fanfold.runtimes.cluster.errors import ClusterError, WorkerLost
from fanfold.runtimes.cluster.failure import raised, remote, told
from fanfold.runtimes.cluster.lease import Lease
from fanfold.runtimes.cluster.wire import OP, Comm, Message, Outbox

if TYPE_CHECKING:
    from fanfold.engine import Journal

_log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Call:
    """One hop's work while a worker does it.

    Attributes:
        answers: what the branch there asks; None = nobody does.
        slots: those in use for it.
        answering: answers that are looked for, by the number of what was asked; without one, by themselves.
    """

    number: int
    branch: Branch
    lease: Lease
    answers: Answer | None
    slots: int = 0
    answering: dict[object, asyncio.Task[None]] = field(default_factory=dict)
    answer: asyncio.Future[Message] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Link:
    """Sends branches to a worker and has their answers.

    Args:
        changed: called when `busy` has changed.
        journal: of the run, for the flows inside of its branches.
    Attributes:
        worker: its address.
        capacity: branches at once; None = as many as there are.
        busy: slots that are in use there.
    """

    def __init__(
        self,
        worker: str,
        capacity: int | None,
        comm: Comm,
        changed: Callable[[Link], None],
        journal: Journal | None,
    ) -> None:
        self.worker = worker
        self.capacity = capacity
        self.busy = 0
        self._comm = comm
        self._changed = changed
        self._journal = journal
        self._answering: set[asyncio.Task[None]] = set()
        self._numbers = count()
        self._calls: dict[int, Call] = {}
        self._outbox = Outbox(comm)
        self._gone = False

    @property
    def has_room(self) -> bool:
        """Whether one more branch may be placed there."""
        return not self._gone and (self.capacity is None or self.busy < self.capacity)

    async def open(self, reference: str) -> dict[str, str]:
        """Begin the run there; what the worker says of the flow.

        Raises:
            RemoteError: the worker can't import it.
            OSError: the worker is gone.
        """
        message = await self._asked({"op": OP, "reply": False, "flow": reference})
        return dict(message["flow"])

    async def prepare(self, pack: bytes, state: str) -> None:
        """Have the worker enter the flow's context.

        Raises:
            RemoteError: what the flow's own code raised there.
            OSError: the worker is gone.
        """
        await self._asked([{"op": "prepare", "pack": pack, "state": state}])

    async def serve(self) -> None:
        """Pass on what the worker says, until it has left the run or is gone; all that waits for it is told then."""
        writer = asyncio.create_task(self._outbox.run())
        writer.add_done_callback(lambda _: self._comm.abort())
        try:
            await self._read()
        finally:
            self._gone = True
            self._comm.abort()
            for call in self._calls.values():
                if not call.answer.done():
                    call.answer.set_exception(WorkerLost(self.worker))
            self._outbox.finish()
            await asyncio.wait([writer, *self._answering])
            writer.exception()  # the connection's end, which is known

    def bye(self) -> None:
        """End the run there; `serve` returns when the worker has left it."""
        self._outbox.put({"op": "bye"})

    def abort(self) -> None:
        """Give the worker up."""
        self._comm.abort()

    async def carry(self, message: Message, answers: Answer | None = None) -> Message:
        """Have one hop's work done; the answer has its value.

        Args:
            answers: what the branch there asks.

        Raises:
            WorkerLost: the worker is gone, and nobody knows how far it came.
            RemoteError: what the hop raised.
        When the caller is cancelled, so is the hop; returns when that has ended.
        """
        branch = current_branch()
        if branch is None:
            raise ClusterError("a hop can be placed on a worker only from within its branch")
        number = next(self._numbers)
        self._calls[number] = call = Call(number, branch, Lease(branch, lambda: self._grant(number)), answers)
        self._used(call, 1)
        self._outbox.put({**message, "op": "start", "call": number})
        try:
            return await self._answered(call)
        finally:
            del self._calls[number]
            self._used(call, -call.slots)
            await _stopped(call)
            await call.lease.end()

    async def _asked(self, message: Message | list[Message]) -> Message:
        await self._comm.write(message)
        (answer,) = await self._comm.read()
        if answer["op"] == "unfit":
            raise remote(answer["error"], self.worker)
        return dict(answer)

    async def _answered(self, call: Call) -> Message:
        cancelled: asyncio.CancelledError | None = None
        while not call.answer.done():
            try:
                await asyncio.wait([call.answer])
            except asyncio.CancelledError as error:
                cancelled = error
                self._outbox.put({"op": "cancel", "call": call.number})
        if isinstance(call.answer.exception(), WorkerLost) and cancelled is not None:
            raise cancelled
        answer = call.answer.result()
        if answer["op"] == "done":
            return answer
        if answer["op"] == "failed":
            raise raised(answer["error"], self.worker)
        raise cancelled or asyncio.CancelledError

    async def _read(self) -> None:
        while True:
            for message in await self._comm.read():
                if message["op"] == "unfit":
                    raise remote(message["error"], self.worker)
                if message["op"] == "left":
                    return
                call = self._calls.get(message.get("call", -1))
                if call is not None:
                    self._receive(call, message)

    def _receive(self, call: Call, message: Message) -> None:
        op = message["op"]
        if op == "give":
            self._used(call, -1)
            call.lease.give()
        elif op == "want":
            call.lease.want()
        elif op == "retried":
            call.branch.retried(remote(message["error"], self.worker), message["wait_s"])
        elif op in {"recall", "record"} and self._journal is not None:
            task = asyncio.create_task(self._answer(self._journal, message))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
        elif op == "ask":
            asked = object() if message["ask"] is None else message["ask"]
            call.answering[asked] = task = asyncio.create_task(self._answered_by(call, message))
            task.add_done_callback(lambda _: call.answering.pop(asked, None))
        elif op == "unask":
            if (unasked := call.answering.get(message["ask"])) is not None:
                unasked.cancel()
        elif not call.answer.done() and op == "lost":
            call.answer.set_exception(WorkerLost(self.worker))
        elif not call.answer.done():
            call.answer.set_result(message)

    async def _answer(self, journal: Journal, message: Message) -> None:
        from fanfold.runtimes.cluster.records import answered  # noqa: PLC0415 only where there is a journal

        self._outbox.put(await answered(journal, message))

    async def _answered_by(self, call: Call, message: Message) -> None:
        answer: Message = {"op": "told", "call": call.number, "ask": message["ask"], "error": None}
        try:
            if call.answers is None:
                raise ClusterError("nobody answers the branches of this flow", hint="give the flow an attend")
            answer["text"] = json.dumps(await call.answers(json.loads(message["text"])))
        except Exception as error:  # noqa: BLE001 what a flow's own code raises is told to who asked
            answer["error"] = told(error)
        if message["ask"] is not None:
            self._outbox.put(answer)
        elif answer["error"] is not None:
            _log.warning("what %s said was lost on its flow: %s", call.branch.key, answer["error"]["message"])

    def _used(self, call: Call, more: int) -> None:
        call.slots += more
        self.busy += more
        self._changed(self)

    def _grant(self, number: int) -> None:
        self._used(self._calls[number], 1)
        self._outbox.put({"op": "slot", "call": number})


async def _stopped(call: Call) -> None:
    """Look for no answers any more: nobody waits for them."""
    answering = list(call.answering.values())
    for task in answering:
        task.cancel()
    if answering:
        await asyncio.wait(answering)
