"""The coordinator's journal, as flows inside of a branch on a worker see it."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Coroutine
from itertools import count
from typing import Any, ParamSpec, TypeVar

from fanfold.engine import Codec, JournalError
from fanfold.engine.journal.effects import Call, path_here, running
from fanfold.engine.journal.journal import _restored
from fanfold.engine.journal.ledger import failure, path_text
from fanfold.engine.journal.run import Committed, Key
from fanfold.engine.journal.signature import function_name, return_type
from fanfold.engine.journal.states import State, States, item_hash
from fanfold.runtimes.cluster.wire import Message

P = ParamSpec("P")
T = TypeVar("T")


class FarJournal:
    """Asks the coordinator what a call has come to before, and tells it what it comes to now.

    Args:
        send: takes a message to the coordinator.
        call: the number of the branch's call.
        uid: the journaled run's.
    """

    def __init__(self, send: Callable[[Message], None], call: int, uid: str) -> None:
        self._send = send
        self._call = call
        self._uid = uid
        self._numbers = count()
        self._asked: dict[int, asyncio.Future[Message]] = {}
        self._states = States(set())
        self._told: set[str] = set()

    def wrap(
        self,
        branch: Callable[P, Awaitable[T]],
        *,
        returns: Any = None,
        name: str | None = None,
        version: str | None = None,
    ) -> Callable[P, Coroutine[Any, Any, T]]:
        """As `Journal.wrap`."""
        function = function_name(branch) if name is None else name
        codec: Codec[T] = Codec(return_type(branch) if returns is None else returns)

        @functools.wraps(branch)
        async def journaled(*args: P.args, **kwargs: P.kwargs) -> T:
            item, *shared = args
            state = self._states.of(shared[0]) if shared else None
            path = path_here()
            key = Key(function, path_text(path), item_hash(item), state.hash if state else None, version or "")
            known = await self._ask("recall", key)
            if known["outcome"] is not None:
                return _restored(key, Committed(*known["outcome"]), codec)
            started_s = time.time()
            here = running.set(Call(self._uid, key, path, known["turn"]))
            try:
                value = await branch(*args, **kwargs)
                text = codec.encode(value)
            except Exception as error:
                await self._record(key, state, failure(error), started_s)
                raise
            finally:
                running.reset(here)
            await self._record(key, state, Committed(text), started_s)
            return value

        return journaled

    def answer(self, message: Message) -> None:
        """What the coordinator says to what it was asked."""
        asked = self._asked.pop(message["ask"], None)
        if asked is not None and not asked.done():
            asked.set_result(message)

    async def _record(self, key: Key, state: State | None, outcome: Committed, started_s: float) -> None:
        text = None
        if state is not None and state.hash not in self._told:
            self._told.add(state.hash)
            text = state.text
        await self._ask("record", key, outcome=list(outcome), state=text, started_s=started_s)

    async def _ask(self, op: str, key: Key, **more: Any) -> Message:
        number = next(self._numbers)
        self._asked[number] = answer = asyncio.get_running_loop().create_future()
        self._send({"op": op, "call": self._call, "ask": number, "key": list(key), **more})
        try:
            message: Message = await answer
        finally:
            self._asked.pop(number, None)
        if message["error"] is not None:
            raise JournalError(message["error"]["message"], hint=message["error"]["hint"])
        return message
