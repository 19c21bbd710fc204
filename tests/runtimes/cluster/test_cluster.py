"""Branches on two workers: what comes back, and what a hop can do there."""

from __future__ import annotations

import asyncio
from itertools import accumulate
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from fanfold.engine import BranchRetried, Done, Failed, Journal, JournalError, Limit
from fanfold.runtimes import Cluster, Native, NoContext
from fanfold.runtimes.cluster import ClusterError, ClusterUnavailable, FlowNotImportable, NoWorkers, RemoteError

COPY = """
from dataclasses import replace
from farflows import plain
flow = replace(plain, name="a copy")
"""


def pids_of(result: Any) -> set[int]:
    return {int(each.rpartition(" ")[2]) for each in result.state["ran"]}


def peak(folder: Path, pid: int | str = "*") -> int:
    """How many were at work at once, at most, in one process or in all."""
    at = [(int(file.name.split(".")[-1]), 1) for file in folder.glob(f"*.try.{pid}.*")]
    at += [(int(file.name.split(".")[-1]), -1) for file in folder.glob(f"*.done.{pid}.*")]
    return max(accumulate(step for _, step in sorted(at)))


async def test_branches_run_on_all_workers_and_come_back_in_item_order(
    cluster: Cluster, far: ModuleType, begin: Any
) -> None:
    names = [f"n{number}" for number in range(20)]
    result = await far.plain.run(begin(*names), runtime=cluster)
    assert [each.split()[0] for each in result.state["ran"]] == names
    assert pids_of(result) == set(cluster.pids)
    assert result.runtime == "cluster"


async def test_runs_side_by_side_share_the_workers(cluster: Cluster, far: ModuleType, begin: Any) -> None:
    one, other = await asyncio.gather(
        far.plain.run(begin("a", "b"), runtime=cluster), far.slow.run(begin("c", "d"), runtime=cluster)
    )
    assert pids_of(one) == pids_of(other) == set(cluster.pids)


async def test_without_async_with_the_workers_come_and_go_with_the_run(far: ModuleType, begin: Any) -> None:
    cluster = Cluster(workers=1)
    result = await far.plain.run(begin("a"), runtime=cluster)
    assert cluster.pids == []
    (pid,) = pids_of(result)
    assert not Path(f"/proc/{pid}").exists()


async def test_an_error_says_what_it_was_and_where(cluster: Cluster, far: ModuleType, begin: Any) -> None:
    result = await far.failing.run(begin("missing", "fanfold", "empty"), runtime=cluster)
    missing, fanfold, empty = (outcome.error for outcome in result.outcomes)
    assert isinstance(missing, RemoteError)
    assert (type(missing).__name__, missing.type_name, str(missing)) == ("KeyError", "builtins.KeyError", "'missing'")
    assert "nothing[name]" in missing.traceback
    assert "nothing[name]" in result.outcomes[0].traceback
    assert (fanfold.message, fanfold.hint) == ("nothing works", "try again")
    assert fanfold.type_name == "fanfold.runtimes.flow.FlowError"
    assert str(empty) == ""


async def test_what_ends_a_program_ends_the_run(cluster: Cluster, far: ModuleType, begin: Any) -> None:
    with pytest.raises(SystemExit):
        await far.failing.run(begin("exit"), runtime=cluster)
    assert len((await far.plain.run(begin("a"), runtime=cluster)).state["ran"]) == 1


async def test_what_one_hop_returns_is_what_the_next_one_gets(cluster: Cluster, far: ModuleType, begin: Any) -> None:
    result = await far.two_hops.run(begin("a"), runtime=cluster)
    assert result.state["ran"] == ["a True tuple"]


async def test_a_hop_that_does_not_say_what_it_passes_on_is_refused(
    cluster: Cluster, far: ModuleType, begin: Any
) -> None:
    with pytest.raises(JournalError, match="undeclared"):
        await far.unsure.run(begin("a"), runtime=cluster)


async def test_a_slot_that_is_lent_is_the_coordinators(cluster: Cluster, far: ModuleType, begin: Any) -> None:
    # Each waits for the one after it, which can begin only in the slot that is lent.
    names = [str(number) for number in range(6)]
    result = await asyncio.wait_for(far.lent.run(begin(*names), limit=1, runtime=cluster), 20)
    assert result.state["ran"] == names


async def test_all_slots_are_given_back(cluster: Cluster, far: ModuleType, begin: Any) -> None:
    limit = Limit(2)
    for flow in (far.nesting, far.lent, far.failing, far.hasty):
        await flow.run(begin("0", "1", "2"), limit=limit, runtime=cluster)
        assert limit.running == 0


async def test_a_flow_inside_of_a_branch_runs_on_its_worker(cluster: Cluster, far: ModuleType, begin: Any) -> None:
    result = await far.nesting.run(begin("a"), limit=2, runtime=cluster)
    *inner, runtime = result.state["ran"]
    assert [each.split()[0] for each in inner] == ["a0", "a1", "a2"]
    assert len({each.split()[1] for each in inner}) == 1
    assert runtime == "native"


async def test_retries_on_a_worker_count_here(cluster: Cluster, far: ModuleType, begin: Any) -> None:
    events: list[Any] = []
    result = await far.retried.run(begin("a"), runtime=cluster, on_event=events.append)
    assert result.state["ran"] == ["a in attempt 3"]
    assert result.outcomes[0].attempts == 3
    told = [(event.attempt, str(event.error)) for event in events if isinstance(event, BranchRetried)]
    assert told == [(1, "a doesn't answer"), (2, "a doesn't answer")]


async def test_keys_of_effects_are_those_of_the_journal(
    cluster: Cluster, far: ModuleType, begin: Any, tmp_path: Path
) -> None:
    keys = []
    for runtime in (cluster, Native()):
        async with Journal.open(tmp_path / "journal.db", run="one", version="1") as journal:
            far_or_near: Any = far.effects.run(begin("a"), runtime=runtime, journal=journal)
            keys.append((await far_or_near).state["ran"])
    assert keys[0] == keys[1]


async def test_a_worker_enters_and_leaves_the_context_once_a_run(
    cluster: Cluster, far: ModuleType, begin: Any, tmp_path: Path
) -> None:
    names = [f"n{number}" for number in range(10)]
    result = await far.prepared.run(begin(*names), runtime=cluster, context=far.Desktop(f"blue|{tmp_path}"))
    assert result.state["ran"] == [f"{name} has blue" for name in names]
    assert len(list(tmp_path.glob("worker.entered.*"))) == 2
    assert len(list(tmp_path.glob("worker.left.*"))) == 2


async def test_a_cancelled_run_leaves_the_context_too(
    cluster: Cluster, far: ModuleType, begin: Any, tmp_path: Path
) -> None:
    context = far.Desktop(f"blue|{tmp_path}")
    run = asyncio.create_task(far.endless_prepared.run(begin("a", "b"), runtime=cluster, context=context))
    while not (far.tries(tmp_path, "a") and far.tries(tmp_path, "b")):
        await asyncio.sleep(0.01)
    run.cancel()
    await asyncio.wait([run])
    assert run.cancelled()
    assert len(list(tmp_path.glob("worker.left.*"))) == 2
    assert len(list(tmp_path.glob("*.cancelled.*"))) == 2


async def test_without_a_preparation_a_worker_has_no_context(cluster: Cluster, far: ModuleType, begin: Any) -> None:
    result = await far.unprepared.run(begin("a"), runtime=cluster, context=far.Desktop("here"))
    error = result.outcomes[0].error
    assert error.type_name == f"{NoContext.__module__}.{NoContext.__qualname__}"
    assert "prepare_worker" in error.hint


async def test_a_preparation_that_fails_everywhere_ends_the_run(far: ModuleType, begin: Any, cluster: Cluster) -> None:
    impatient = Cluster(cluster.address, patience_s=0.5)
    with pytest.raises(NoWorkers, match="no room left"):
        await far.unpreparable.run(begin("a"), runtime=impatient)


async def test_two_workers_compute_at_once(cluster: Cluster, far: ModuleType, begin: Any, tmp_path: Path) -> None:
    await far.cpu.run(begin(*[f"{number}:0.2" for number in range(6)]), limit=2, runtime=cluster)
    assert [peak(tmp_path, pid) for pid in cluster.pids] == [1, 1]
    assert peak(tmp_path) == 2


async def test_a_branch_that_blocks_loses_nobody_the_worker(far: ModuleType, begin: Any, cluster: Cluster) -> None:
    result = await far.blocked.run(begin("a", "b"), runtime=cluster)
    assert [type(outcome) for outcome in result.outcomes] == [Done, Done]
    assert pids_of(result) == set(cluster.pids)


async def test_a_worker_takes_no_more_than_its_capacity(
    far: ModuleType, begin: Any, cluster: Cluster, tmp_path: Path
) -> None:
    result = await far.slow.run(begin(*"abcdefgh"), runtime=Cluster(cluster.address, capacity=2))
    assert len(result.state["ran"]) == 8
    assert [peak(tmp_path, pid) for pid in cluster.pids] == [2, 2]


async def test_the_state_is_sent_once_to_each_worker(
    far: ModuleType, begin: Any, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fanfold.runtimes.cluster.link import Link

    sent: list[int] = []
    prepare = Link.prepare

    async def counted(self: Link, pack: bytes, state: str) -> None:
        sent.append(len(state))
        await prepare(self, pack, state)

    monkeypatch.setattr(Link, "prepare", counted)
    await far.plain.run(begin(*map(str, range(50)), payload="x" * 1_000_000), runtime=cluster)
    assert len(sent) == 2
    assert min(sent) > 1_000_000


async def test_a_flow_that_no_module_has_is_refused(far: ModuleType, begin: Any, cluster: Cluster) -> None:
    from dataclasses import replace

    with pytest.raises(FlowNotImportable) as refused:
        await replace(far.plain).run(begin("a"), runtime=cluster)
    assert "module" in (refused.value.hint or "")


async def test_a_flow_that_workers_can_not_import_is_refused(
    begin: Any, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nobody_elses.py").write_text(COPY)
    monkeypatch.syspath_prepend(tmp_path)
    import nobody_elses  # type: ignore[import-not-found]

    with pytest.raises(ClusterError, match="nobody_elses"):
        await nobody_elses.flow.run(begin("a"), runtime=cluster)


async def test_workers_import_from_where_they_are_told(begin: Any, tmp_path: Path) -> None:
    (tmp_path / "only_there.py").write_text(COPY)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        import only_there  # type: ignore[import-not-found]
    result = await only_there.flow.run(begin("a"), runtime=Cluster(workers=1, import_from=[tmp_path]))
    assert len(result.state["ran"]) == 1


@pytest.mark.parametrize("arguments", [{}, {"address": "tcp://127.0.0.1:1", "workers": 1}, {"workers": 0}])
def test_arguments_that_make_no_sense_are_refused(arguments: Any) -> None:
    with pytest.raises(ClusterError):
        Cluster(**arguments)


def test_without_distributed_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ClusterUnavailable) as refused:
        Cluster(workers=1)
    assert "fanfold[cluster]" in (refused.value.hint or "")


async def test_a_scheduler_that_is_not_there_is_said(
    far: ModuleType, begin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fanfold.runtimes.cluster.connect.CONNECT_S", 0.3)
    with pytest.raises(ClusterError, match="can't be reached"):
        await far.plain.run(begin("a"), runtime=Cluster("tcp://127.0.0.1:9"))


async def test_a_deadline_ends_the_branch_on_the_worker(
    far: ModuleType, begin: Any, cluster: Cluster, tmp_path: Path
) -> None:
    result = await far.hasty.run(begin("a", "b"), runtime=cluster)
    assert all(isinstance(outcome, Failed) for outcome in result.outcomes)
    assert len(list(tmp_path.glob("*.cancelled.*"))) == 2


async def test_waiting_for_a_worker_takes_nothing_of_a_deadline(far: ModuleType, begin: Any, cluster: Cluster) -> None:
    # Two at a time, 0.15 s each: those that begin last do so long after the deadline of the first has passed.
    crowded = Cluster(cluster.address, capacity=1)
    result = await far.brief.run(begin(*map(str, range(16))), limit=16, runtime=crowded)
    assert {type(outcome) for outcome in result.outcomes} == {Done}


async def test_a_limit_that_runs_share_holds_where_workers_have_more_room(
    far: ModuleType, begin: Any, cluster: Cluster, tmp_path: Path
) -> None:
    limit, crowded = Limit(3), Cluster(cluster.address, capacity=4)
    runs = [far.slow.run(begin(*[f"{run}{each}" for each in "abcdef"]), limit=limit, runtime=crowded) for run in "xyz"]
    assert [len(result.state["ran"]) for result in await asyncio.gather(*runs)] == [6, 6, 6]
    assert peak(tmp_path) == 3
    assert limit.running == 0


async def test_texts_that_no_utf8_has_come_back(cluster: Cluster, far: ModuleType, begin: Any, tmp_path: Path) -> None:
    odd = "\udcff"
    async with Journal.open(tmp_path / "journal.db", run="one", version="1") as journal:
        result = await far.odd.run(begin("a", "b"), runtime=cluster, journal=journal)
    (outcome, other) = result.outcomes
    assert outcome.key == f"a{odd}"
    assert str(outcome.error) == "a\\udcff is odd"
    assert isinstance(other, Failed)
