"""Stomper's pattern with real agent processes: eight files of five seconds, four at once beside one at a time.

    python benchmarks/stomper.py [--files 8] [--wait 5] [--at-once 4] [--runtime langgraph|native]

Both sides are a program each, measured from its start until the workflow has returned: imports, checkers, workspaces,
agents, verification, landing and the check of all changes together. The agents' phase goes from when the first agent
began to when the last one ended, by their own clocks. Floors at eight files of five seconds: 12 s for four at once,
which is at least 3.3 times as fast as one at a time in the same run, and 3.8 times in the agents' phase. It takes about
a minute, nearly all of it waiting.

Raw numbers go to benchmarks/results/stomper.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fanfold.fix import StomperWorkflow
from fanfold.testing.repositories import make_repository

RESULTS = Path(__file__).parent / "results"
BROKEN = "import os\nimport sys\n\nprint(sys.argv)\n"
MOST_S, LEAST_SPEEDUP, LEAST_AGENT_SPEEDUP = 12.0, 3.3, 3.8


@dataclass(frozen=True)
class Side:
    """One program: `wall_s` until its workflow returned, `agents_s` while its agents were at work."""

    at_once: int
    runtime: str
    wall_s: float
    agents_s: float
    peak: int
    landed: int
    errors_fixed: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure both sides, print them, keep the raw numbers; 1 where a floor is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=8)
    parser.add_argument("--wait", type=float, default=5.0, help="seconds that an agent takes for a file")
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--runtime", choices=("native", "langgraph"), default="langgraph")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the raw numbers")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.side:
        print(json.dumps(asyncio.run(_workflow(json.loads(asked.side)))))
        return 0
    together, alone = (_side(asked, at_once) for at_once in (asked.at_once, 1))
    good = _told(asked, together, alone)
    asked.out.mkdir(exist_ok=True)
    raw = {"files": asked.files, "wait_s": asked.wait, "together": asdict(together), "alone": asdict(alone)}
    (asked.out / "stomper.json").write_text(json.dumps({**raw, "good": good}, indent=1))
    return 0 if good else 1


def _side(asked: argparse.Namespace, at_once: int) -> Side:
    with tempfile.TemporaryDirectory(prefix="bench-stomper-") as folder:
        log, root = Path(folder) / "agents.log", Path(folder) / "project"
        repository = make_repository(root, {f"module_{number}.py": BROKEN for number in range(asked.files)})
        agent = [
            sys.executable,
            "-m",
            "fanfold.testing.waiting_agent",
            f"--wait={asked.wait}",
            f"--log={log}",
            "{file}",
        ]
        settings = {
            "agent": "command",
            "agent_command": agent,
            "runtime": asked.runtime,
            "workspaces": f"{folder}/home",
            "sandbox": "none",  # the agents' log is outside of their workspaces, where it is read from
        }
        side = json.dumps({"root": str(root), "at_once": at_once, "settings": settings})
        started_s = time.monotonic()
        done = subprocess.run([sys.executable, __file__, "--side", side], stdout=subprocess.PIPE, check=True)
        came_to = json.loads(done.stdout)
        wall_s = came_to["returned_s"] - started_s  # one clock for all processes
        landed = len(repository.git("log", "--format=%h", f"main..{came_to['branch']}").splitlines())
        agents_s, peak = _phase(log)
    return Side(at_once, came_to["runtime"], wall_s, agents_s, peak, landed, came_to["errors_fixed"])


async def _workflow(asked: dict[str, Any]) -> dict[str, Any]:
    workflow = StomperWorkflow(Path(asked["root"]), asked["at_once"], settings=asked["settings"])
    state = await workflow.run({"enabled_tools": ["ruff"]})
    returned_s, report = time.monotonic(), workflow.report
    assert report is not None
    return {
        "returned_s": returned_s,
        "branch": report.branch,
        "runtime": report.runtime,
        "errors_fixed": state["total_errors_fixed"],
    }


def _phase(log: Path) -> tuple[float, int]:
    """How long agents were at work, in seconds, and the most of them together, as they noted it themselves."""
    steps = sorted((float(at), int(step)) for at, step in (line.split() for line in log.read_text().splitlines()))
    running = peak = 0
    for _, step in steps:
        running += step
        peak = max(peak, running)
    return steps[-1][0] - steps[0][0], peak


def _told(asked: argparse.Namespace, together: Side, alone: Side) -> bool:
    whole, agents = alone.wall_s / together.wall_s, alone.agents_s / together.agents_s
    print(f"{asked.files} files, agents of {asked.wait:g} s, on the runtime {together.runtime}\n")
    print("| at once | whole s | agents' phase s | agents together | commits | errors fixed |")
    print("|---" * 6 + "|")
    for side in (together, alone):
        print(
            f"| {side.at_once} | {side.wall_s:.2f} | {side.agents_s:.2f} | {side.peak} | {side.landed} "
            f"| {side.errors_fixed} |"
        )
    print(f"\nspeed-up {whole:.2f} (at least {LEAST_SPEEDUP}), in the agents' phase {agents:.2f} ", end="")
    print(f"(at least {LEAST_AGENT_SPEEDUP}); {together.wall_s:.2f} s (at most {MOST_S:g})")
    right = all(side.landed == side.errors_fixed == asked.files for side in (together, alone))
    peaks = together.peak == min(asked.at_once, asked.files) and alone.peak == 1
    fast = together.wall_s <= MOST_S and whole >= LEAST_SPEEDUP and agents >= LEAST_AGENT_SPEEDUP
    print("all floors hold" if right and peaks and fast else "a floor is missed")
    return right and peaks and fast


if __name__ == "__main__":
    sys.exit(main())
