"""Branches on workers that speak to their coordinator while they are at work."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from fanfold.engine import Done, Failed
from fanfold.runtimes import Cluster, NoCoordinator, coordinator
from fanfold.runtimes.cluster import RemoteError

HERE = Path(__file__).parent


async def until(met: Callable[[], Any], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not met():
            await asyncio.sleep(0.01)


async def test_what_is_said_arrives_in_order_and_the_answer_comes_back(
    cluster: Cluster, far: ModuleType, begin: Any
) -> None:
    book = far.Notebook()
    result = await far.asking.run(begin("a", "b"), runtime=cluster, context=book)
    assert result.state["ran"] == ["a: 2", "b: 2"]
    for name in "ab":
        heard = [line.partition(" ")[2] for line in book.heard if line.startswith(name)]
        assert heard == ["+", "first", str([name, "\udcff"]), "last", "-"]


async def test_another_event_loop_may_ask(cluster: Cluster, far: ModuleType, begin: Any) -> None:
    result = await far.asking_from_a_thread.run(begin("a"), runtime=cluster, context=far.Notebook())
    assert result.state["ran"] == ["hello"]


async def test_what_the_answer_raised_is_raised_where_it_was_asked(
    cluster: Cluster, far: ModuleType, begin: Any
) -> None:
    for flow, words in ((far.asking_in_vain, "no such thing"), (far.asking_nobody, "nobody answers")):
        result = await flow.run(begin("fail"), runtime=cluster, context=far.Notebook())
        error = result.outcomes[0].error
        assert isinstance(error, RemoteError)
        assert words in str(error)


async def test_place_that_was_lost_is_told_and_the_next_one_is_attended_anew(far: ModuleType, begin: Any) -> None:
    book = far.Notebook()
    async with Cluster(workers=1) as cluster:
        result = await far.asking_and_dying.run(begin("a"), runtime=cluster, context=book)
    assert [type(outcome) for outcome in result.outcomes] == [Done]
    assert book.heard == ["a +", "a hello", "a WorkerLost", "a -", "a +", "a hello", "a -"]


async def test_nobody_looks_for_an_answer_that_nobody_waits_for(cluster: Cluster, far: ModuleType, begin: Any) -> None:
    book = far.Notebook()
    run = asyncio.create_task(far.asking_in_vain.run(begin("wait"), runtime=cluster, context=book))
    await until(lambda: "wait wait" in book.heard)
    run.cancel()
    await asyncio.wait([run])
    assert book.heard == ["wait +", "wait wait", "wait no answer", "wait CancelledError", "wait -"]


async def test_question_that_was_given_up_is_not_answered(cluster: Cluster, far: ModuleType, begin: Any) -> None:
    book = far.Notebook()
    await far.asking_for_a_while.run(begin("a"), runtime=cluster, context=book)
    assert book.heard == ["a +", "a wait", "a no answer", "a later", "a -"]


async def test_cancelled_branch_is_heard_to_its_end(
    cluster: Cluster, far: ModuleType, begin: Any, tmp_path: Path
) -> None:
    book = far.Notebook()
    run = asyncio.create_task(far.asking_at_the_end.run(begin("a"), runtime=cluster, context=book))
    await until(lambda: far.tries(tmp_path, "a"))
    run.cancel()
    await asyncio.wait([run])
    assert book.heard == ["a +", "a goodbye", "a CancelledError", "a -"]
    assert not list(tmp_path.glob("a.alone.*"))


DYING = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
import farflows
from fanfold.runtimes import Cluster

begin = {"names": ["stubborn"], "folder": sys.argv[3]}
asyncio.run(farflows.asking_at_the_end.run(begin, runtime=Cluster(sys.argv[2]), context=farflows.Notebook()))
"""


async def test_branch_that_asks_a_dead_coordinator_does_not_wait_for_ever(
    cluster: Cluster, far: ModuleType, tmp_path: Path
) -> None:
    argv = [sys.executable, "-c", DYING, str(HERE), str(cluster.address), str(tmp_path)]
    with subprocess.Popen(argv) as dying:
        await until(lambda: far.tries(tmp_path, "stubborn"))
        os.kill(dying.pid, signal.SIGKILL)
    await until(lambda: list(tmp_path.glob("stubborn.ended.*")))
    assert len(list(tmp_path.glob("stubborn.alone.*"))) == 1


async def test_where_the_run_is_there_is_no_coordinator(far: ModuleType, begin: Any) -> None:
    with pytest.raises(NoCoordinator):
        coordinator()
    (outcome,) = (await far.asking.run(begin("a"), context=far.Notebook())).outcomes
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, NoCoordinator)
