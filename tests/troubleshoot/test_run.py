"""Sources around a run: opened once, closed whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from fanfold.engine import Event
from fanfold.runtimes import Runtime
from fanfold.testing.sources import MESSAGE, PIECES, CannedSource, four_sources
from fanfold.troubleshoot.arrivals import Arrivals
from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.run import troubleshoot
from fanfold.troubleshoot.state import ParallelState


async def test_sources_are_closed_after_the_run(runtime: Runtime) -> None:
    sources = four_sources()
    await troubleshoot(MESSAGE, sources, runtime=runtime)
    assert not any(source.is_open for source in sources.values())


async def test_sources_are_closed_when_the_run_is_cancelled(runtime: Runtime) -> None:
    sources = {"metrics": CannedSource("metrics", delay_s=60.0)}
    running = asyncio.create_task(troubleshoot(MESSAGE, sources, runtime=runtime))
    while not sources["metrics"].asked:
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not sources["metrics"].is_open


async def test_time_of_the_incident_ends_the_window() -> None:
    at = datetime(2024, 12, 11, 3, 12, tzinfo=UTC)
    sources = four_sources()
    await troubleshoot(MESSAGE, sources, at=at)
    assert sources["metrics"].asked[0].until == at


async def test_what_a_source_adds_is_told_as_it_arrives(runtime: Runtime) -> None:
    sources = {name: CannedSource(name, [piece], delay_s=0.05 * at) for at, (name, piece) in enumerate(PIECES.items())}
    asked: list[str] = []
    answered: list[str] = []

    def take(name: str, added: ParallelState, elapsed_s: float) -> None:
        assert added["parallel_results"][0]["success"]
        assert elapsed_s >= 0
        answered.append(name)

    arrivals = Arrivals(on_asked=asked.append, on_answered=take)
    await troubleshoot(MESSAGE, sources, runtime=runtime, on_event=arrivals)
    assert asked == answered == list(PIECES)


async def test_fan_outs_within_a_source_are_not_told() -> None:
    from fanfold.engine import fan_out

    class Nested(CannedSource):
        async def ask(self, _: Incident) -> Sequence[Evidence]:
            async def branch(item: str) -> str:
                return item

            await fan_out(branch, ["one", "two"], limit=2)
            return []

    asked: list[str] = []
    events: list[Event] = []
    arrivals = Arrivals(on_asked=asked.append, on_answered=lambda *_: None)

    def take(event: Event) -> None:
        events.append(event)
        arrivals(event)

    await troubleshoot(MESSAGE, {"mine": Nested("mine")}, on_event=take)
    assert asked == ["mine"]
    assert len(events) > 3
