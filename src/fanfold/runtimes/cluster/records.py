"""The coordinator's answers to what branches on workers ask of its journal."""

from __future__ import annotations

import time

from fanfold.engine import Journal
from fanfold.engine.journal.run import Committed, Key
from fanfold.engine.journal.states import State
from fanfold.errors import FanfoldError
from fanfold.runtimes.cluster.failure import told
from fanfold.runtimes.cluster.wire import Message


async def answered(journal: Journal, message: Message) -> Message:
    """What to say to a question about a journaled call."""
    answer: Message = {"op": "told", "call": message["call"], "ask": message["ask"], "error": None}
    try:
        key = Key(*message["key"])
        if message["op"] == "recall":
            return {**answer, **await _recalled(journal, key)}
        await _recorded(journal, key, message)
    except FanfoldError as error:
        return {**answer, "error": told(error)}
    return answer


async def _recalled(journal: Journal, key: Key) -> Message:
    ledger = journal._ledger
    ledger.check_usable()
    outcome = await ledger.committed(key)
    return {"outcome": None if outcome is None else list(outcome), "turn": ledger.past(key).done}


async def _recorded(journal: Journal, key: Key, message: Message) -> None:
    known = journal._states._by_hash
    state = None
    if key.state_hash is not None:
        state = known.setdefault(key.state_hash, State(key.state_hash, message["state"]))
    started_s = time.time() - message["elapsed_s"]  # as the clock here has it: the worker's may be another
    await journal._ledger.record(key, state, Committed(*message["outcome"]), started_s)
