"""The coordinator's journal, as flows inside of a branch on a worker see it."""

from __future__ import annotations

import functools
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from fanfold.engine import Codec, JournalError
from fanfold.engine.journal.effects import Call, path_here, running
from fanfold.engine.journal.journal import _restored
from fanfold.engine.journal.ledger import failure, path_text
from fanfold.engine.journal.run import Committed, Key
from fanfold.engine.journal.signature import function_name, return_type
from fanfold.engine.journal.states import State, States, item_hash
from fanfold.runtimes.cluster.questions import Questions
from fanfold.runtimes.cluster.wire import Message

P = ParamSpec("P")
T = TypeVar("T")


class FarJournal:
    """Asks the coordinator what a call has come to before, and tells it what it comes to now.

    Args:
        questions: the branch's line to the coordinator.
        uid: the journaled run's.
    """

    def __init__(self, questions: Questions, uid: str) -> None:
        self._questions = questions
        self._uid = uid
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
            began_s = time.monotonic()
            here = running.set(Call(self._uid, key, path, known["turn"]))
            try:
                value = await branch(*args, **kwargs)
                text = codec.encode(value)
            except Exception as error:
                await self._record(key, state, failure(error), time.monotonic() - began_s)
                raise
            finally:
                running.reset(here)
            await self._record(key, state, Committed(text), time.monotonic() - began_s)
            return value

        return journaled

    async def _record(self, key: Key, state: State | None, outcome: Committed, elapsed_s: float) -> None:
        text = None
        if state is not None and state.hash not in self._told:
            self._told.add(state.hash)
            text = state.text
        await self._ask("record", key, outcome=list(outcome), state=text, elapsed_s=elapsed_s)

    async def _ask(self, op: str, key: Key, **more: Any) -> Message:
        message = await self._questions.put(op, key=list(key), **more)
        if message["error"] is not None:
            raise JournalError(message["error"]["message"], hint=message["error"]["hint"])
        return message
