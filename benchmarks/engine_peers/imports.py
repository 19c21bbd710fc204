"""How long imports take, each in a new process, alternating."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

OURS = ("fanfold", "fanfold.engine", "pydantic")
PEERS = ("aiometer", "dspy", "langgraph.graph", "pydantic_graph", "workflows")
HEAVY = ("langgraph", "dspy", "pydantic_ai", "dask")
PROGRAM = """
import sys, time
began = time.perf_counter()
import {module}
took_s = time.perf_counter() - began
print(took_s, *[name for name in {heavy!r} if name in sys.modules])
"""


def measure(python: Path, times: int, seed: int, *, with_peers: bool) -> tuple[dict[str, list[float]], list[str]]:
    """Seconds by module, and which heavy modules `import fanfold` brings in."""
    modules, chance = OURS + (PEERS if with_peers else ()), random.Random(seed)
    took: dict[str, list[float]] = {module: [] for module in modules}
    brought: list[str] = []
    for module in modules:
        _import(python, module)  # compiles bytecode
    for number in range(times):
        # What takes seconds is imported in fewer rounds.
        todo = [module for module in modules if module in OURS or number < 3]
        for module in chance.sample(todo, len(todo)):
            took_s, *heavy = _import(python, module)
            took[module].append(float(took_s))
            brought += heavy if module in ("fanfold", "fanfold.engine") else []
    return took, sorted(set(brought))


def _import(python: Path, module: str) -> list[str]:
    program = PROGRAM.format(module=module, heavy=HEAVY)
    return subprocess.run([python, "-c", program], capture_output=True, text=True, check=True).stdout.split()
