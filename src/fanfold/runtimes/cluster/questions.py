"""What a branch on a worker asks its coordinator: each question has a number, by which the answer finds it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from itertools import count
from typing import Any

from fanfold.runtimes.asking import NoCoordinator
from fanfold.runtimes.cluster.errors import ClusterError
from fanfold.runtimes.cluster.wire import Message

GONE = "the coordinator of this branch is gone"


class Questions:
    """One branch's line to its coordinator: a `Coordinator`; it belongs to the event loop of the branches.

    Args:
        send: takes a message to the coordinator; called from any thread.
        call: the number of the branch's call.
    """

    def __init__(self, send: Callable[[Message], None], call: int) -> None:
        self._send = send
        self._call = call
        self._loop = asyncio.get_running_loop()
        self._numbers = count()
        self._asked: dict[int, asyncio.Future[Message]] = {}
        self._over = False

    async def ask(self, question: Any) -> Any:
        """As `Coordinator.ask`."""
        if asyncio.get_running_loop() is not self._loop:  # an agent may have one of its own
            asked = asyncio.run_coroutine_threadsafe(self.ask(question), self._loop)
            return await asyncio.wrap_future(asked)
        message = await self.put("ask", text=json.dumps(question))
        if (error := message["error"]) is not None:
            raise ClusterError(f"the coordinator could not answer: {error['message']}", hint=error["hint"])
        return json.loads(message["text"])

    def tell(self, news: Any) -> None:
        """As `Coordinator.tell`."""
        self._send({"op": "ask", "call": self._call, "ask": None, "text": json.dumps(news)})

    async def put(self, op: str, **more: Any) -> Message:
        """Send a message that is to be answered, and wait for that.

        Raises:
            NoCoordinator: nobody answers any more; it has been sent all the same, for there may be somebody who hears.
        """
        number = next(self._numbers)
        self._send({"op": op, "call": self._call, "ask": number, **more})
        if self._over:
            raise NoCoordinator(GONE)
        answer: asyncio.Future[Message] = self._loop.create_future()
        self._asked[number] = answer
        try:
            return await answer
        except asyncio.CancelledError:
            self._send({"op": "unask", "call": self._call, "ask": number})
            raise
        finally:
            self._asked.pop(number, None)

    def answer(self, message: Message) -> None:
        """What the coordinator says to what it was asked."""
        asked = self._asked.get(message["ask"])
        if asked is not None and not asked.done():
            asked.set_result(message)

    def end(self) -> None:
        """Wait for no answer any more: there may be nobody to give one."""
        self._over = True
        for asked in self._asked.values():
            if not asked.done():
                asked.set_exception(NoCoordinator(GONE))
