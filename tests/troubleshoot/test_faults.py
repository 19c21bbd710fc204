"""Many incidents over real HTTP while a third of all requests fails: nothing is raised, nothing finished is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from fanfold.testing.metrics import FakePrometheus, Series
from fanfold.testing.scheduler import FakeScheduler, Fault, Plan, PlanJob, Run
from fanfold.testing.sources import MESSAGE, PIECES, CannedSource
from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.run import troubleshoot
from fanfold.troubleshoot.settings import ParallelConfig
from fanfold.troubleshoot.sources.logs import Logs
from fanfold.troubleshoot.sources.metrics import Metrics
from fanfold.troubleshoot.sources.protocol import Source, SourceError
from fanfold.troubleshoot.sources.workload import Workload

NOW = datetime.now(UTC)
FAILED = Run(status="ABEND", return_code=12, started=NOW, ended=NOW, log="IEF450I ABEND=S0C7 U0000")
PLAN = Plan(now=NOW, jobs=(PlanJob(name="BATCH001", runs=(FAILED,)), PlanJob(name="BATCH002", after=("BATCH001",))))
FAULTS = (
    Fault(share=0.1, status=500),
    Fault(share=0.1, reset=True),
    Fault(share=0.1, cut_bytes=40),
    Fault(latency_s=(0.0, 0.03)),
    Fault(share=0.02, latency_s=60.0),
)


class Watched:
    """A source whose answers are remembered at the moment that it gives them."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.name, self.timeout_s = source.name, source.timeout_s
        self.answered: Sequence[Evidence] | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with self._source.open():
            yield

    async def ask(self, incident: Incident) -> Sequence[Evidence]:
        self.answered = await self._source.ask(incident)
        return self.answered


def sources_of(scheduler: str, prometheus: str, logs: Path, random: Random) -> Mapping[str, Source]:
    table: dict[str, Any] = {"url": scheduler, "user": "operator", "password": {"env": "TWS_PASSWORD"}}
    broken = random.random() < 0.3
    return {
        "tws_status": Workload.make({**table, "request_timeout_s": 0.2}, Path.cwd()),
        "metrics": Metrics.make({"url": prometheus, "request_timeout_s": 0.2}, Path.cwd()),
        "log_cache": Logs.make({"paths": [str(logs)]}, Path.cwd()),
        "rag_search": CannedSource(
            "rag_search",
            [PIECES["rag_search"]],
            delay_s=random.choice([0.0, 0.05, 60.0]),
            error=SourceError("the index is locked") if broken else None,
        ),
    }


async def look_into(count: int, folder: Path) -> None:
    log = folder / "batch.log"
    log.write_text(f"{NOW.isoformat()} ERROR job=BATCH001 IEF450I BATCH001 ABEND=S0C7\n")
    random = Random(7)
    series = (Series(name="node_load1", usual=1, value=9, since=NOW),)
    config = ParallelConfig(node_timeout_seconds=0.6, total_timeout_seconds=0.5)
    async with AsyncExitStack() as stack:
        scheduler = await stack.enter_async_context(FakeScheduler(PLAN, faults=FAULTS, seed=1))
        prometheus = await stack.enter_async_context(FakePrometheus(series, faults=FAULTS, seed=2))
        at_once = asyncio.Semaphore(8)

        async def one() -> int:
            made = sources_of(scheduler.url, prometheus.url, log, random)
            watched = {name: Watched(source) for name, source in made.items()}
            async with at_once:
                state = await troubleshoot(MESSAGE, watched, config=config)
            results = {result["source"]: result for result in state["parallel_results"]}
            assert set(results) == set(watched)
            failed = [result for result in results.values() if not result["success"]]
            assert len(state.get("errors", [])) == len(failed)
            assert "aggregation_error" not in state["metadata"]
            told = [piece["source"] for piece in state["answer"]["evidence"]]
            for name, source in watched.items():
                if results[name]["success"]:
                    assert source.answered is not None
                    assert told.count(name) == len(source.answered)
                else:
                    assert source.answered is None
            return len(failed)

        failures = await asyncio.gather(*(one() for _ in range(count)))
    assert sum(failures), "faults that nobody meets prove nothing"
    assert sum(failures) < 4 * count


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWS_PASSWORD", "operator")


async def test_no_finished_evidence_is_lost_and_nothing_is_raised(tmp_path: Path) -> None:
    await look_into(10, tmp_path)


@pytest.mark.soak
async def test_no_finished_evidence_is_lost_over_a_thousand_incidents(tmp_path: Path) -> None:
    await look_into(1_000, tmp_path)
