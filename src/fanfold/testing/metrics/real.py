"""A real Prometheus on a loopback port, from the program of that name, with given series in its past."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from fanfold.errors import FanfoldError
from fanfold.process import Completed, allowed_environment, find_program, run
from fanfold.testing.metrics.promql import value_at
from fanfold.testing.ports import free_port
from fanfold.testing.scenarios import Series

SCRAPE_S = 15
READY_S = 30.0
UNPACK_S = 120.0
WAIT_S = 0.05
RETENTION = "100y"


class RealPrometheusError(FanfoldError):
    """The program isn't there, or does not start."""


class RealPrometheus:
    """Prometheus itself, as long as a block; its data are in a folder of the caller's.

    Args:
        folder: empty; for its configuration and its data.
        series: written into its past, a value each 15 seconds, as if they had been scraped.
        start, end: from when to when.
        targets: `127.0.0.1:8000`, scraped while it runs.
        scrape_interval: of the targets, as Prometheus writes it.
        program: None = from PATH.
    """

    def __init__(
        self,
        folder: Path,
        *,
        series: Sequence[Series] = (),
        start: datetime | None = None,
        end: datetime | None = None,
        targets: Sequence[str] = (),
        scrape_interval: str = "1s",
        program: Path | None = None,
    ) -> None:
        self._folder, self._series, self._start, self._end = folder, tuple(series), start, end
        self._targets, self._interval = tuple(targets), scrape_interval
        self._program = program
        self._port = 0
        self._task: asyncio.Task[Completed] | None = None

    @property
    def url(self) -> str:
        """Where it is: `http://127.0.0.1:9090`."""
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        program = self._program or find_program("prometheus")
        if program is None:
            raise RealPrometheusError("prometheus is not installed", hint="install the Debian package prometheus")
        config = self._folder / "prometheus.yml"
        data = self._folder / "data"
        await asyncio.to_thread(self._prepare, config, data)
        if self._series:
            await _succeed(program.with_name("promtool"), *_BACKFILL, self._folder / "past.txt", data)
        self._port = free_port()
        argv: list[str | Path] = [
            program,
            f"--config.file={config}",
            f"--storage.tsdb.path={data}",
            f"--storage.tsdb.retention.time={RETENTION}",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--log.level=error",
        ]
        self._task = asyncio.create_task(run(argv, cwd=self._folder, env=allowed_environment()), name="prometheus")
        try:
            await self._ready(self._task)
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    def _prepare(self, config: Path, data: Path) -> None:
        data.mkdir()
        scrapes = [{"job_name": "target", "static_configs": [{"targets": list(self._targets)}]}]
        told = {
            "global": {"scrape_interval": self._interval, "scrape_timeout": self._interval},
            "scrape_configs": scrapes if self._targets else [],
        }
        config.write_text(json.dumps(told))  # which is YAML as well
        if self._series and self._start and self._end:
            (self._folder / "past.txt").write_text("\n".join(_openmetrics(self._series, self._start, self._end)))

    async def _ready(self, task: asyncio.Task[Completed]) -> None:
        import httpx  # noqa: PLC0415 imported when used

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READY_S), httpx.AsyncClient(trust_env=False) as client:
                while not task.done():
                    with contextlib.suppress(httpx.TransportError):
                        if (await client.get(f"{self.url}/-/ready")).is_success:
                            return
                    await asyncio.sleep(WAIT_S)
        said = task.result().stderr.decode(errors="replace")[-500:] if task.done() else f"not ready after {READY_S:g} s"
        raise RealPrometheusError(f"prometheus does not start: {said}")

    async def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()  # which ends the program by its process group
            await asyncio.wait([self._task])
            self._task = None


_BACKFILL = ("tsdb", "create-blocks-from", "openmetrics")


async def unpacked(folder: Path) -> Path | None:
    """Prometheus without installing it: from the archive of this Debian, unpacked; None where that isn't to be had."""
    apt, dpkg = find_program("apt-get"), find_program("dpkg-deb")
    if apt is None or dpkg is None:
        return None
    done = await run([apt, "download", "-q", "prometheus"], cwd=folder, deadline_s=UNPACK_S)
    packages = await asyncio.to_thread(lambda: sorted(folder.glob("prometheus_*.deb")))
    if done.returncode or not packages:
        return None
    await _succeed(dpkg, "-x", packages[-1], folder)
    return folder / "usr" / "bin" / "prometheus"


async def _succeed(*argv: str | Path) -> None:
    done = await run(argv, env=allowed_environment(), deadline_s=UNPACK_S)
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace")[-500:]
        raise RealPrometheusError(f"{Path(argv[0]).name} failed: {said}")


def _openmetrics(series: Sequence[Series], start: datetime, end: datetime) -> Iterator[str]:
    """The text format with times: all samples of one name together, in the order of their times."""
    for name in dict.fromkeys(one.name for one in series):
        for one in (one for one in series if one.name == name):
            labels = ",".join(f'{label}="{_escaped(value)}"' for label, value in one.labels.items())
            for at_s in range(int(start.timestamp()), int(end.timestamp()) + 1, SCRAPE_S):
                value = value_at(one, at_s)
                if value is not None:
                    yield f"{name}{{{labels}}} {value!r} {at_s}"
    yield "# EOF\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
