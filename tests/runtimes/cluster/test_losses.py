"""What happens when a worker, the coordinator or the run ends before its time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from fanfold.engine import Done, Failed, Journal
from fanfold.runtimes import Cluster
from fanfold.runtimes.cluster import NoWorkers, WorkerFailed

HERE = Path(__file__).parent


@pytest.fixture
async def frail(_importable: None) -> AsyncIterator[Cluster]:
    """Two workers of one's own, to be killed."""
    async with Cluster(workers=2, patience_s=20) as cluster:
        yield cluster


async def until(met: Callable[[], Any], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not met():
            await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


async def killed_in_the_middle(cluster: Cluster, far: ModuleType, begin: Any, folder: Path, after: int) -> None:
    """Kill one worker when so many branches have begun; nothing that was finished is lost or run again."""
    names = [f"n{number}" for number in range(16)]
    victim = random.choice(cluster.pids)
    run = asyncio.create_task(far.slow.run(begin(*names), limit=6, runtime=cluster))
    await until(lambda: len(list(folder.glob("*.try.*"))) >= after or run.done())
    os.kill(victim, signal.SIGKILL)
    result = await asyncio.wait_for(run, 60)
    assert [type(outcome) for outcome in result.outcomes] == [Done] * 16
    assert [each.split()[0] for each in result.state["ran"]] == names
    for name in names:
        tried, finished = len(list(folder.glob(f"{name}.try.*"))), len(list(folder.glob(f"{name}.done.*")))
        assert tried <= 2
        lost = len(list(folder.glob(f"{name}.try.{victim}.*")))
        assert tried == 1 or lost == 1, "only what ran on the killed worker runs again"
        assert finished >= 1


async def test_a_killed_worker_costs_only_what_ran_on_it(
    frail: Cluster, far: ModuleType, begin: Any, tmp_path: Path
) -> None:
    await killed_in_the_middle(frail, far, begin, tmp_path, after=7)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(50))
async def test_a_killed_worker_costs_only_what_ran_on_it_at_any_time(
    frail: Cluster, far: ModuleType, begin: Any, tmp_path: Path, seed: int
) -> None:
    random.seed(seed)
    await killed_in_the_middle(frail, far, begin, tmp_path, random.randint(1, 15))


async def test_what_is_journaled_is_not_placed_again(
    frail: Cluster, far: ModuleType, begin: Any, tmp_path: Path
) -> None:
    names = [f"n{number}" for number in range(6)]
    for _ in range(2):
        async with Journal.open(tmp_path / "journal.db", run="one", version="1") as journal:
            await far.plain.run(begin(*names), runtime=frail, journal=journal)
        for pid in frail.pids:
            os.kill(pid, signal.SIGKILL)
    assert {far.tries(tmp_path, name) for name in names} == {1}


async def test_a_branch_that_kills_its_worker_once_is_placed_again(
    frail: Cluster, far: ModuleType, begin: Any, tmp_path: Path
) -> None:
    result = await far.deadly.run(begin("a", "once", "b"), limit=1, runtime=frail)
    assert [each.split()[0] for each in result.state["ran"]] == ["a", "once", "b"]
    assert far.tries(tmp_path, "once") == 2


async def test_a_branch_that_kills_every_worker_fails_and_the_others_do_not(
    frail: Cluster, far: ModuleType, begin: Any, tmp_path: Path
) -> None:
    result = await far.deadly.run(begin("a", "always", "b"), limit=1, runtime=frail)
    assert [type(outcome) for outcome in result.outcomes] == [Done, Failed, Done]
    error = result.outcomes[1].error
    assert isinstance(error, WorkerFailed)
    assert "always" in str(error)
    assert far.tries(tmp_path, "always") == 3


async def test_what_a_killed_workers_branches_had_started_is_killed(
    frail: Cluster, far: ModuleType, begin: Any, tmp_path: Path
) -> None:
    run = asyncio.create_task(far.parents.run(begin("a"), runtime=frail))
    await until(lambda: (tmp_path / "a.pid").exists() and (tmp_path / "a.pid").read_text())
    child = int((tmp_path / "a.pid").read_text())
    (parent,) = (pid for pid in frail.pids if list(tmp_path.glob(f"a.try.{pid}.*")))
    os.kill(parent, signal.SIGKILL)
    await until(lambda: not is_alive(child))
    run.cancel()
    await asyncio.wait([run])


async def test_a_cancelled_run_ends_the_processes_of_its_branches(
    cluster: Cluster, far: ModuleType, begin: Any, tmp_path: Path
) -> None:
    run = asyncio.create_task(far.parents.run(begin("a", "b"), runtime=cluster))
    await until(lambda: all((tmp_path / f"{name}.pid").exists() for name in "ab"))
    await until(lambda: all((tmp_path / f"{name}.pid").read_text() for name in "ab"))
    children = [int((tmp_path / f"{name}.pid").read_text()) for name in "ab"]
    assert all(map(is_alive, children))
    run.cancel()
    await asyncio.wait([run])
    assert run.cancelled()
    assert not any(map(is_alive, children))


async def test_the_run_ends_when_all_workers_are_gone(far: ModuleType, begin: Any, tmp_path: Path) -> None:
    async with Cluster(workers=1) as cluster:
        address = cluster.address
        run = asyncio.create_task(far.endless.run(begin("a"), runtime=Cluster(address, patience_s=0.5)))
        await until(lambda: far.tries(tmp_path, "a"))
        (pid,) = cluster.pids
    assert not is_alive(pid)
    with pytest.raises(NoWorkers, match=r"no worker for 0\.5 s"):
        await asyncio.wait_for(run, 30)


async def test_steps_go_on_without_workers(far: ModuleType, begin: Any, tmp_path: Path) -> None:
    async with Cluster(workers=1) as cluster:
        run = asyncio.create_task(far.lasting.run(begin("a"), runtime=Cluster(cluster.address, patience_s=0.1)))
        await until(lambda: far.tries(tmp_path, "finish"))
    await asyncio.sleep(0.5)
    assert not run.done()
    (tmp_path / "go").touch()
    assert len((await run).state["ran"]) == 1


async def test_a_context_that_can_not_be_left_is_logged(
    cluster: Cluster, far: ModuleType, begin: Any, caplog: pytest.LogCaptureFixture
) -> None:
    result = await far.sticky.run(begin("a"), runtime=cluster)
    assert result.state["ran"] == ["a has glue"]
    assert "stuck" in caplog.text


async def test_a_worker_that_comes_late_is_used(far: ModuleType, begin: Any, tmp_path: Path) -> None:
    async with Cluster(workers=1) as cluster:
        run = asyncio.create_task(far.deadly.run(begin("once", "a"), limit=1, runtime=cluster))
        await until(lambda: far.tries(tmp_path, "once") == 2)
        result = await run
        assert [each.split()[0] for each in result.state["ran"]] == ["once", "a"]


CRASHING = """
import asyncio, os, sys
sys.path.insert(0, sys.argv[1])
import farflows
from fanfold.runtimes import Cluster

async def main():
    async with Cluster(workers=2) as cluster:
        print(*cluster.pids, flush=True)
        await farflows.parents.run({"names": ["a", "b"], "folder": sys.argv[2]}, runtime=cluster)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.soak)]
)
async def test_nothing_outlives_the_coordinator(tmp_path: Path, number: signal.Signals) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", CRASHING, str(HERE), str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert program.stdout is not None
    with program, program.stdout:
        workers = [int(pid) for pid in program.stdout.readline().split()]
        await until(lambda: all((tmp_path / f"{name}.pid").exists() for name in "ab"))
        await until(lambda: all((tmp_path / f"{name}.pid").read_text() for name in "ab"))
        children = [int((tmp_path / f"{name}.pid").read_text()) for name in "ab"]
        assert len(workers) == 2
        assert all(map(is_alive, [*workers, *children]))
        program.send_signal(number)
        await until(lambda: not any(map(is_alive, [*workers, *children])))
