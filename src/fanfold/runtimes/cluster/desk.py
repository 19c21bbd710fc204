"""One run on one worker: the flow, its context and state there, and the branches that were placed here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from fanfold.engine import BranchRetried, Codec, Event, Frozen, detach, freeze
from fanfold.engine.branch import Branch, Place, current
from fanfold.engine.limit import Chain
from fanfold.runtimes.asking import coordinated
from fanfold.runtimes.cluster.errors import ClusterError
from fanfold.runtimes.cluster.facts import of_flow
from fanfold.runtimes.cluster.failure import told
from fanfold.runtimes.cluster.leased import Leased
from fanfold.runtimes.cluster.questions import Questions
from fanfold.runtimes.cluster.reference import flow_at
from fanfold.runtimes.cluster.types import codecs_of, state_type, written
from fanfold.runtimes.cluster.wire import Message
from fanfold.runtimes.flow import Flow
from fanfold.runtimes.native import Native
from fanfold.runtimes.run import NoContext, Options, within

if TYPE_CHECKING:
    from fanfold.runtimes.cluster.far_journal import FarJournal


class NothingPrepared:
    """The context of a flow that has no `prepare_worker`."""


class Desk:
    """Serves one coordinator's run, on the event loop that branches run on.

    Args:
        reference: where the flow is, see `reference_of`.
        send: takes a message to the coordinator.
    """

    def __init__(self, reference: str, send: Callable[[Message], None]) -> None:
        self._reference = reference
        self._send = send
        self._prepare: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._over = asyncio.Event()
        self._placed: dict[int, Placed] = {}
        self._flow: Flow[Any] | None = None
        self._codecs: list[tuple[Codec[Any], Codec[Any]]] = []
        self._context: Any = None
        self._state: Frozen[Any] | None = None
        self._work = asyncio.create_task(self._serve(), name=f"serve {reference}")

    def receive(self, message: Message) -> None:
        """Do what the coordinator says."""
        op = message["op"]
        if op == "prepare" and not self._prepare.done():
            self._prepare.set_result(message)
        elif op == "start":
            self._start(message)
        elif (placed := self._placed.get(message.get("call", -1))) is not None:
            if op == "cancel":
                placed.is_wanted = False
                placed.cancel()
            elif op == "slot":
                placed.leased.granted()
            elif op == "told":
                placed.questions.answer(message)

    async def close(self) -> None:
        """Cancel what runs here, wait until it has ended, and leave the flow's context."""
        if self._state is None:
            self._work.cancel()
        self._over.set()
        for placed in self._placed.values():
            placed.questions.end()
        await asyncio.wait([self._work])

    async def _serve(self) -> None:
        """The run here from its begin to its end: its context is entered and left in this task."""
        try:
            flow = await asyncio.to_thread(flow_at, self._reference)
            self._send({"op": "welcome", "flow": of_flow(flow)})
            asked = await self._prepare
            async with prepared(flow, asked["pack"]) as context:
                self._begin(flow, context, asked["state"])
                self._send({"op": "ready"})
                await self._over.wait()
                await self._end_branches()
        except BaseException as error:  # noqa: BLE001 what a flow's own code raises here is told to the coordinator
            await self._end_branches()
            self._send({"op": "unfit", "error": told(error)})
        else:
            self._send({"op": "left"})

    def _begin(self, flow: Flow[Any], context: Any, state: str) -> None:
        self._flow, self._context, self._codecs = flow, context, codecs_of(flow)
        self._state = freeze(Codec[Any](state_type(flow.state)).decode(state), as_type=flow.state)

    async def _end_branches(self) -> None:
        for placed in self._placed.values():
            placed.cancel()
        while self._placed:
            await asyncio.wait([placed.task for placed in self._placed.values()])
            await asyncio.sleep(0)  # what takes them out of there runs after them

    def _start(self, message: Message) -> None:
        call = message["call"]
        self._placed[call] = placed = Placed(message, self._send)
        placed.task = asyncio.get_running_loop().create_task(self._hop(placed, message), name=placed.branch.key)
        placed.task.add_done_callback(lambda task: self._ended(call, task))
        if self._over.is_set():
            placed.cancel()

    async def _hop(self, placed: Placed, message: Message) -> Message:
        """One hop's work; whatever it comes to is the answer."""
        try:
            flow, state, number = self._flow, self._state, message["hop"]
            if flow is None or state is None:
                raise ClusterError("a branch was placed on a worker that isn't prepared")
            given, returned = self._codecs[number]
            value, hop = given.decode(message["value"]), flow.hops[number]
            with placed.entered(message, self._context):
                result = detach(await hop(value, state.view()))
            return {"op": "done", **written(result, returned, is_update=hop is flow.hops[-1])}
        except asyncio.CancelledError:
            return {"op": "cancelled"}
        except BaseException as error:  # noqa: BLE001 the boundary of a branch: it becomes a Failed on the coordinator
            return {"op": "failed", "error": self._told(error)}

    def _told(self, error: BaseException) -> dict[str, str | None]:
        data = told(error)
        if isinstance(error, NoContext) and isinstance(self._context, NothingPrepared):
            data["hint"] = "give the flow a prepare_worker: what it yields is the context on a worker"
        return data

    def _ended(self, call: int, task: asyncio.Task[Message]) -> None:
        placed = self._placed.pop(call)
        placed.branch._ended = True
        answer: Message = {"op": "cancelled"} if task.cancelled() else task.result()
        if self._over.is_set() and placed.is_wanted and answer["op"] != "done":
            answer = {"op": "lost"}  # this worker is what ended it: another one may do better
        self._send({**answer, "call": call})


class Placed:
    """A branch while it is here: its task, its place in the run, and its slots.

    Attributes:
        is_wanted: the coordinator hasn't cancelled it.
    """

    task: asyncio.Task[Message]
    is_wanted = True

    def __init__(self, message: Message, send: Callable[[Message], None]) -> None:
        call, self._send, self._call = message["call"], send, message["call"]
        self.leased = Leased(lambda: send({"op": "give", "call": call}), lambda: send({"op": "want", "call": call}))
        loop = asyncio.get_running_loop()
        chain: Chain = (self.leased,) if message["limited"] else ()
        if chain:
            self.leased._running = 1
        *outer, key = json.loads(message["path"])
        place = Place(tuple(outer), chain, loop, loop.time(), self._tell, lambda _: None)
        self.branch = Branch(place, key, message["index"])
        self.branch.attempt = message["attempt"]
        self.branch._started_s = 0.0
        self.questions = Questions(send, call)
        self.journal = None if message["journaled"] is None else _journal(self.questions, message["journaled"])

    @contextmanager
    def entered(self, message: Message, context: Any) -> Iterator[None]:
        """Code in this block runs in the branch."""
        current.set(self.branch)
        if message["journaled"] is not None:
            _enter_journaled(message["journaled"])
        journal: Any = self.journal
        with within(Native(), Options(context=context, journal=journal)), coordinated(self.questions):
            yield

    def cancel(self) -> None:
        """Ask the branch to end, for good: it waits for no slot any more."""
        self.branch._ending = True
        self.task.cancel()

    def _tell(self, event: Event) -> None:
        # The branch's own retries count at the coordinator. Those of branches inside of it stay here.
        if isinstance(event, BranchRetried) and event.path == self.branch.path:
            self._send({"op": "retried", "call": self._call, "error": told(event.error), "wait_s": event.wait_s})


@asynccontextmanager
async def prepared(flow: Flow[Any], pack: bytes) -> AsyncIterator[Any]:
    """The flow's context on this worker."""
    if flow.prepare_worker is None:
        yield NothingPrepared()
        return
    async with flow.prepare_worker(pack) as context:
        yield context


def _journal(questions: Questions, journaled: str) -> FarJournal:
    from fanfold.runtimes.cluster.far_journal import FarJournal  # noqa: PLC0415 only where there is a journal

    return FarJournal(questions, json.loads(journaled)[0])


def _enter_journaled(journaled: str) -> None:
    """Let `idempotency_key` give the keys that it gives where the journal is."""
    from fanfold.engine.journal.effects import Call, running  # noqa: PLC0415 only where there is a journal
    from fanfold.engine.journal.run import Key  # noqa: PLC0415

    uid, key, path, turn = json.loads(journaled)
    running.set(Call(uid, Key(*key), tuple(path), turn))
