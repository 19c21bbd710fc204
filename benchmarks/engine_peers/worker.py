"""The process in which one peer is measured: a case in, a sample out, a line of JSON each.

    python -m engine_peers.worker PEER MODULE

One peer to a process: no peer's heap, threads or patches weigh on another's figures. Collections are even for all:
what is imported and set up is frozen out of the collector, which then runs as always.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import resource
import sys
import time
import tracemalloc
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

from engine_peers.case import Case, Run

Probe = Callable[[str, Case], AbstractAsyncContextManager[Run]]
WARM_UP, WARM_UP_BYTES = 64, 1_000


@dataclass(slots=True)
class Sample:
    """One measurement, of one or more equal runs after one another.

    Args:
        cpu_s, wall_s: of all runs together; CPU of all threads and of ended children.
        runs: how many.
        extra: means of what the runs took themselves.
        wrong: what was wrong with a result; empty = nothing.
    """

    cpu_s: float = 0.0
    wall_s: float = 0.0
    runs: int = 0
    extra: dict[str, float] = field(default_factory=dict)
    wrong: str = ""

    def add(self, cpu_s: float, wall_s: float, extra: dict[str, float]) -> None:
        """Count one run in."""
        self.cpu_s += cpu_s
        self.wall_s += wall_s
        self.runs += 1
        for name, value in extra.items():
            mean = self.extra.get(name, 0.0)
            self.extra[name] = mean + (value - mean) / self.runs


def main() -> None:
    """Serve until there is no more input; whatever the peer prints goes to stderr."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    peer, module = sys.argv[1], sys.argv[2]
    probe: Probe = importlib.import_module(module).probe
    _answer(answers, {"ready": True})
    for line in sys.stdin:
        asked = json.loads(line)
        case, how = Case(**asked["case"]), asked["how"]
        try:
            sample = _measured(probe, peer, case, how)
        except Exception as error:  # noqa: BLE001 told to the one who asked
            sample = Sample(wrong=f"{type(error).__name__}: {error}")
        _answer(answers, asdict(sample))


def _measured(probe: Probe, peer: str, case: Case, how: dict[str, Any]) -> Sample:
    with asyncio.Runner(loop_factory=_loop_factory(peer)) as runner:
        if how.get("memory"):
            return runner.run(memory(probe, peer, case))
        return runner.run(timed(probe, peer, case, how["at_least_s"], how["at_most_runs"]))


def _loop_factory(peer: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if not peer.endswith("-uvloop"):
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module("uvloop").new_event_loop
    return factory


async def timed(probe: Probe, peer: str, case: Case, at_least_s: float, at_most_runs: int) -> Sample:
    """Run the case after a small warm-up, over and over until it adds up to something that a clock can tell."""
    await _warm_up(probe, peer, case)
    sample = Sample()
    while not sample.runs or (sample.wall_s < at_least_s and sample.runs < at_most_runs and not sample.wrong):
        cpu_s, wall_s, extra, sample.wrong = await _once(probe, peer, case)
        sample.add(cpu_s, wall_s, extra)
    return sample


async def _warm_up(probe: Probe, peer: str, case: Case) -> None:
    small = replace(case, n=min(case.n, WARM_UP), state_bytes=min(case.state_bytes, WARM_UP_BYTES))
    await _once(probe, peer, small)


async def _once(probe: Probe, peer: str, case: Case) -> tuple[float, float, dict[str, float], str]:
    async with probe(peer, case) as run:
        gc.collect()
        gc.freeze()  # for good: unfrozen, the states of earlier cases would be searched again before each run
        wall, cpu = time.perf_counter(), _cpu_s()
        result = await run.call()
        cpu_s, wall_s = _cpu_s() - cpu, time.perf_counter() - wall
        wrong = _wrong(run.read(result), case)
        return cpu_s, wall_s, dict(run.extra), wrong


def _cpu_s() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _wrong(values: list[int], case: Case) -> str:
    expected = case.expected()
    if values == expected:
        return ""
    if len(values) != len(expected):
        return f"{len(values)} values instead of {len(expected)}"
    at = next(n for n, pair in enumerate(zip(values, expected, strict=True)) if pair[0] != pair[1])
    return f"value {at} is {values[at]!r} instead of {expected[at]}"


async def memory(probe: Probe, peer: str, case: Case) -> Sample:
    """How far memory grows while the case runs, beyond what it returns; both as Python counts it.

    The resident set grows by what the allocator keeps too: it is measured in a run of its own, the first one.
    """
    await _warm_up(probe, peer, case)
    async with probe(peer, case) as run:
        gc.collect()
        at_rest = resident("VmRSS")
        forget_the_peak()
        wrong = _wrong(run.read(await run.call()), case)
        grown = resident("VmHWM") - at_rest
    tracemalloc.start()
    async with probe(peer, case) as run:
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        result = await run.call()
        peak = tracemalloc.get_traced_memory()[1]
        gc.collect()
        with_result = tracemalloc.get_traced_memory()[0]
        del result
        gc.collect()
        outcomes = with_result - tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    extra = {
        "beyond_bytes": float(peak - before - outcomes),
        "outcomes_bytes": float(outcomes),
        "resident_bytes": float(grown),
    }
    return Sample(runs=1, extra=extra, wrong=wrong)


def forget_the_peak() -> None:
    """Make VmHWM count from here on (proc(5))."""
    Path("/proc/self/clear_refs").write_text("5")


def resident(name: str) -> int:
    """Bytes of this process, now (VmRSS) or at most since `forget_the_peak` (VmHWM)."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


def _answer(answers: TextIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
