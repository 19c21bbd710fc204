"""One simulation in a process of its own: a scenario as JSON in, what came of it out.

    python -m runtime_peers.simulate SCENARIO

The coordinator is real: `carry_out`, `fan_out`, isolation, limits, outcomes, the fold. The workers are simulated, and
time is virtual: a run of hours takes the seconds of CPU that the coordinator and the simulation need.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

from engine_peers.worker import forget_the_peak, resident
from fanfold.runtimes import Flow, Options, Result, Runtime
from fanfold.runtimes.native import carry_out
from fanfold.testing import clock
from runtime_peers.fleet import Fleet, Scenario
from runtime_peers.flows import SIMULATED

S = TypeVar("S")

ON_DASK = "runtime_peers.placed"


@dataclass(frozen=True, slots=True)
class Simulated:
    """What came of a simulation.

    Args:
        done: branches whose outcomes were folded.
        cpu_s: real CPU time of this process, the simulation's own included.
        grown_bytes: how far the resident set grew, at its highest.
        took_s, ideal_s: of the simulated run, on its own clock.
        lost, hedged: see `Fleet`.
    """

    done: int
    cpu_s: float
    grown_bytes: int
    took_s: float
    ideal_s: float
    lost: int
    hedged: int


class OnFleet:
    """A runtime that has its branches done by simulated workers; all else is as on every runtime."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    @property
    def name(self) -> str:
        """What reports call it."""
        return "simulated"

    async def run(self, flow: Flow[S], state: S, options: Options) -> Result[S]:
        """Run the flow to its end."""

        async def placed(number: int, _: Any) -> dict[str, int]:
            await self._fleet.place(number)
            return {"done": 1}

        return await carry_out(self, flow, state, options, (placed,))


class Spending:
    """Moves a loop's clock on: by what the coordinator computes, where asked for, and by what is spent."""

    def __init__(self) -> None:
        self._spent_s = 0.0

    def __call__(self, seconds: float) -> None:
        """Let this time pass."""
        self._spent_s += seconds

    def loop(self) -> asyncio.AbstractEventLoop:
        """A loop on virtual time on which real CPU time passes too."""
        made, began_s = clock.new_event_loop(), time.thread_time()
        waited: Callable[[], float] = made.time
        made.time = lambda: waited() + self._spent_s + time.thread_time() - began_s  # type: ignore[method-assign]
        return made


def simulated(scenario: Scenario) -> Simulated:
    """Run one scenario."""
    spend = Spending()
    if scenario.coordinator == "cluster":
        importlib.import_module(ON_DASK)  # it takes longer than many a simulation
    factory = spend.loop if scenario.is_busy else clock.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(_run(scenario, spend))


async def _run(scenario: Scenario, spend: Spending) -> Simulated:
    fleet, loop = Fleet(scenario, spend=spend), asyncio.get_running_loop()
    gc.collect()
    gc.freeze()
    forget_the_peak()
    resident_bytes, began_s, cpu = resident("VmRSS"), loop.time(), time.process_time()
    done = await _runs(scenario, fleet, spend)
    return Simulated(
        done=done,
        cpu_s=time.process_time() - cpu,
        grown_bytes=resident("VmHWM") - resident_bytes,
        took_s=loop.time() - began_s,
        ideal_s=fleet.ideal_s,
        lost=fleet.lost,
        hedged=fleet.hedged,
    )


async def _runs(scenario: Scenario, fleet: Fleet, spend: Spending) -> int:
    match scenario.coordinator:
        case "engine":
            return await _coordinated(scenario, fleet)
        case "cluster":
            return await _placed(scenario, fleet, spend)
        case _:
            return await _bare(scenario, fleet)


async def _coordinated(scenario: Scenario, fleet: Fleet) -> int:
    flow = replace(SIMULATED, priority=fleet.work_s.__getitem__) if scenario.is_longest_first else SIMULATED
    runtime: Runtime = OnFleet(fleet)
    result = await flow.run({"branches": scenario.branches}, limit=scenario.workers, runtime=runtime)
    return result.state["done"]


async def _placed(scenario: Scenario, fleet: Fleet, spend: Spending) -> int:
    runtime: Runtime = importlib.import_module(ON_DASK).OnStations(scenario, fleet, spend)
    result = await SIMULATED.run({"branches": scenario.branches}, limit=scenario.workers, runtime=runtime)
    return result.state["done"]


async def _bare(scenario: Scenario, fleet: Fleet) -> int:
    """The least that any coordinator does: a loop for each worker, over one iterator."""
    numbers, done = iter(range(scenario.branches)), 0

    async def loop() -> None:
        nonlocal done
        for number in numbers:
            await fleet.place(number)
            done += 1

    await asyncio.gather(*(loop() for _ in range(scenario.workers)))
    return done


if __name__ == "__main__":
    logging.disable()  # each lost worker is told
    print(json.dumps(asdict(simulated(Scenario(**json.loads(sys.argv[1]))))))
