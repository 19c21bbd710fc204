"""What confinement costs: starting a program in a sandbox, and looking over a checkout before and after an attempt.

    python benchmarks/sandbox.py [--rounds N] [--files N] [--docs] [--json FILE]

Each round does all of it each way, in an order that is shuffled anew; figures are medians, and differences medians of
the rounds' own differences.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from fanfold.fix.attempts.confine import find_bubblewrap
from fanfold.git import Repository
from fanfold.git.footprint import footprint, touched
from fanfold.process import Gate, Proxy, Sandbox, allowed_environment, limited, program_reach, run

DOCUMENT = Path(__file__).parent.parent / "docs" / "confinement.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
PROGRAM = Path("/bin/true")
PYTHON = Path(sys.executable)

Ways = dict[str, Callable[[], Awaitable[None]]]


async def started(argv: tuple[str, ...], cwd: Path) -> None:
    """One program from start to end."""
    done = await run(argv, cwd=cwd, env=allowed_environment())
    if done.returncode:
        raise SystemExit(f"{argv[0]} ended with {done.returncode}: {done.stderr.decode(errors='replace')}")


def ways(sandbox: Sandbox, gate: Gate, root: Path) -> Ways:
    """Each way to start a program, by what it is called."""
    host = Sandbox(**{**vars(sandbox), "network": "host"})
    gated = Sandbox(**{**vars(sandbox), "network": gate})
    plain = (str(PROGRAM),)
    python = (str(PYTHON), "-I", "-S", "-c", "")
    read = program_reach(PYTHON)
    return {
        "plain": lambda: started(plain, root),
        "plain, with a limit for files": lambda: started(limited(plain, 1 << 30), root),
        "bubblewrap, no network": lambda: started(sandbox.around(plain, root), root),
        "bubblewrap, the network as it is": lambda: started(host.around(plain, root), root),
        "bubblewrap, listed hosts": lambda: started(gated.around(plain, root), root),
        "Python, plain": lambda: started(python, root),
        "Python, bubblewrap, no network": lambda: started(sandbox.around(python, root, read=read), root),
    }


async def measured(named: Ways, rounds: int, seed: int) -> dict[str, list[float]]:
    """Seconds of each way, round by round."""
    shuffled = random.Random(seed)
    found: dict[str, list[float]] = {name: [] for name in named}
    for turn in range(rounds + 1):
        names = list(named)
        shuffled.shuffle(names)
        for name in names:
            began_s = time.perf_counter()
            await named[name]()
            if turn:  # the first round warms caches
                found[name].append(time.perf_counter() - began_s)
    return found


def checkout(root: Path, files: int) -> None:
    """A repository of many files in folders of fifty."""
    for number in range(files):
        path = root / f"package{number // 1000}" / f"part{number // 50 % 20}" / f"module{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"value = {number}\n")
    me = ("-c", "user.name=x", "-c", "user.email=x@y", "-c", "gc.auto=0")
    for command in (("init", "-q"), ("add", "-A"), (*me, "commit", "-qm", "base")):
        subprocess.run(["git", *command], cwd=root, check=True, capture_output=True)


async def looks(root: Path, rounds: int, seed: int) -> dict[str, list[float]]:
    """Seconds of a look at the checkout, of one after another, and of reading all files instead."""
    repository = await Repository.open(root)
    before = await footprint(repository)
    (root / "package0/part0/module0.py").write_text("changed\n")
    after = await footprint(repository, before)
    if [one.path for one in touched(before, after)] != ["package0/part0/module0.py"]:
        raise SystemExit("a change was not seen")

    async def look() -> None:
        await footprint(repository, before)

    async def read() -> None:
        await run(["git", "ls-files", "-z"], cwd=root)
        await asyncio.to_thread(lambda: [path.read_bytes() for path in root.glob("package*/**/*.py")])

    return await measured({"a look": look, "reading every file": read}, rounds, seed)


def table(found: dict[str, list[float]], base: str) -> list[str]:
    """Rows of medians and of how much more each takes than the first."""
    lines = ["|  | median | more than the first | 95th percentile |", "| --- | ---: | ---: | ---: |"]
    for name, times in found.items():
        more = statistics.median(one - other for one, other in zip(times, found[base], strict=True))
        high = sorted(times)[int(len(times) * 0.95)]
        lines.append(f"| {name} | {_ms(statistics.median(times))} | {_ms(more)} | {_ms(high)} |")
    return lines


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


async def carry_out(options: argparse.Namespace) -> dict[str, dict[str, list[float]]]:
    """All that is measured, in seconds."""
    bubblewrap, why = await find_bubblewrap()
    if bubblewrap is None:
        raise SystemExit(why)
    folder = Path(tempfile.mkdtemp(prefix="fanfold-bench-"))
    try:
        root, scratch, many = folder / "root", folder / "scratch", folder / "many"
        for each in (root, scratch, many):
            each.mkdir()
        sandbox = Sandbox(bubblewrap, scratch, write=(root,), home=Path.home())
        async with Proxy(["example.com"]) as proxy:
            starts = await measured(ways(sandbox, Gate(proxy.socket), root), options.rounds, options.seed)
        checkout(many, options.files)
        return {"starts": starts, "looks": await looks(many, max(5, options.rounds // 4), options.seed)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def told(found: dict[str, dict[str, list[float]]], options: argparse.Namespace) -> str:
    """What was measured, as the document has it."""
    lines = [
        f"- machine: {os.cpu_count()} CPUs, {platform.system()} {platform.machine()}",
        f"- Python: {platform.python_version()}",
        f"- seed: {options.seed}",
        f"- rounds: {options.rounds}",
        "",
        "### Starting a program",
        "",
        *table(found["starts"], "plain"),
        "",
        f"### A look at a checkout of {options.files:,} files",
        "",
        *table(found["looks"], "a look"),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=258_251)
    parser.add_argument("--docs", action="store_true", help="write the document, too")
    parser.add_argument("--json", type=Path, help="write the raw figures here")
    options = parser.parse_args()
    found = asyncio.run(carry_out(options))
    text = told(found, options)
    print(text)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    if options.docs:
        document = DOCUMENT.read_text()
        before, after = document.partition(BEGIN)[0], document.partition(END)[2]
        DOCUMENT.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}")


if __name__ == "__main__":
    main()
