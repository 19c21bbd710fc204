"""Simulated scale: which simulations are run, each in a process of its own."""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

from engine_peers.case import Case
from engine_peers.results import Results
from engine_peers.session import CODE, scratch_folder
from engine_peers.worker import Sample
from runtime_peers.costs import SIMULATED, TWO_WORKERS, coordinators
from runtime_peers.fleet import Scenario
from runtime_peers.plan import Scale

CALM = Scenario(slow_share=0.0, lives_s=0.0)
HARSH = Scenario()
WORLDS = {
    "no coordinator: a loop for each worker": replace(HARSH, coordinator="none"),
    "no stragglers, no deaths": CALM,
    "stragglers": replace(HARSH, lives_s=0.0),
    "stragglers and deaths": HARSH,
    "the same, placed by the cluster runtime": replace(HARSH, coordinator="cluster"),
    "the same, longest first": replace(HARSH, is_longest_first=True),
    "the same, hedged": replace(HARSH, hedge_after=3.0),
    "the same, longest first and hedged": replace(HARSH, is_longest_first=True, hedge_after=3.0),
}
BARE = next(iter(WORLDS))


def measure(
    scale: Scale, python: Path, seed: int, results: Results, tell: Callable[[str], None], *, with_dask: bool
) -> None:
    """Run every simulation once with each seed, in a shuffled order."""
    chance = random.Random(seed)
    with scratch_folder(("runtime_peers",)) as scratch:
        if with_dask:
            _place_on_two(scale, python, scratch / CODE, results)
        for number in range(scale.seeds):
            todo = [*_worlds(scale, with_dask=with_dask), *_fleets(scale, with_dask=with_dask)]
            todo += _saturations(scale, results)
            chance.shuffle(todo)
            for case, scenario in todo:
                results.add(SIMULATED, case, _simulated(replace(scenario, seed=number + 1), python, scratch / CODE))
            tell(f"simulated {number + 1} of {scale.seeds} times")


def world(scale: Scale, name: str) -> Case:
    """One way that a large run goes."""
    return Case("scale", name, scale.simulated, scale.fleet)


def saturation(scale: Scale, coordinator: str, each_s: float) -> Case:
    """Branches that all take as long, on workers that are never at fault."""
    return Case("saturation", f"{each_s:g}", scale.fleet * scale.saturating, scale.fleet, variant=coordinator)


def _place_on_two(scale: Scale, python: Path, code: Path, results: Results) -> None:
    """The cluster's placement as it is measured on a real cluster: two workers, branches that take no time."""
    scenario = replace(CALM, branches=TWO_WORKERS.n, workers=2, typical_s=0.001, spread=0.0, coordinator="cluster")
    for _ in range(scale.seeds):
        results.add(SIMULATED, TWO_WORKERS, _simulated(scenario, python, code))


def _worlds(scale: Scale, *, with_dask: bool) -> Iterator[tuple[Case, Scenario]]:
    for name, scenario in WORLDS.items():
        if scenario.coordinator == "cluster" and not with_dask:
            continue
        yield world(scale, name), replace(scenario, branches=scale.simulated, workers=scale.fleet)


def fleet(scale: Scale, kind: str, workers: int) -> Case:
    """Fleets of growing size, ten branches for each worker."""
    return Case("fleet", kind, workers * scale.saturating, workers)


def _fleets(scale: Scale, *, with_dask: bool) -> Iterator[tuple[Case, Scenario]]:
    for kind in ("none", "engine", *(["cluster"] if with_dask else [])):
        for workers in (scale.fleet // 10, scale.fleet, scale.fleet * 2):
            case = fleet(scale, kind, workers)
            yield case, replace(CALM, branches=case.n, workers=workers, coordinator=kind)


def _saturations(scale: Scale, results: Results) -> Iterator[tuple[Case, Scenario]]:
    for each in coordinators(results):
        for each_s in scale.lasting_s:
            case = saturation(scale, each.name, each_s)
            yield case, replace(CALM, branches=case.n, workers=scale.fleet, typical_s=each_s, spread=0.0, is_busy=True,
                                coordinator=each.kind, placement_s=each.placement_us / 1e6)  # fmt: skip


def _simulated(scenario: Scenario, python: Path, code: Path) -> Sample:
    argv: list[str | Path] = [python, "-m", "runtime_peers.simulate", json.dumps(asdict(scenario))]
    environment = {**os.environ, "PYTHONPATH": str(code), "PYTHONHASHSEED": "0"}
    ended = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        return Sample(runs=1, wrong=ended.stderr.strip()[-2000:] or f"ended with {ended.returncode}")
    told = json.loads(ended.stdout)
    wrong = "" if told["done"] == scenario.branches else f"{told['done']} branches instead of {scenario.branches}"
    extra = {name: float(told[name]) for name in ("grown_bytes", "ideal_s", "lost", "hedged")}
    extra["share"] = told["ideal_s"] / told["took_s"]
    return Sample(cpu_s=told["cpu_s"], wall_s=told["took_s"], runs=1, extra=extra, wrong=wrong)
