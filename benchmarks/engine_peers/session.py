"""Runs a plan: round by round, in an order that is shuffled from a seed, each peer in a process of its own."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO

from engine_peers.case import Case
from engine_peers.plan import PEERS, Cell, Peer
from engine_peers.results import Results
from engine_peers.worker import Sample

HERE = Path(__file__).parent.parent
CODE = "code"
PATIENCE_S = 240.0


class PeerFailedError(Exception):
    """A peer's process ended, or took longer than anybody waits; the message has the end of what it wrote."""


class Worker:
    """A process that measures one peer.

    Args:
        name: which of a module's peers it is.
        python: the interpreter that has the peer.
        scratch: a folder for its databases and for what it prints.
    """

    def __init__(self, name: str, peer: Peer, python: Path, scratch: Path) -> None:
        self._log = scratch / f"{name}.log"
        # One seed for all and the same each time: sets and dicts of strings are laid out alike in every round.
        code = str(scratch / CODE)
        environment = {**os.environ, "PYTHONPATH": code, "PYTHONHASHSEED": "0", "TMPDIR": str(scratch)}
        argv: list[str | Path] = [python, "-m", "engine_peers.worker", name, f"{peer.package}.{peer.module}"]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                argv, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self._said()

    def measure(self, cell: Cell, *, at_least_s: float, memory: bool) -> Sample:
        """Run one cell's case.

        Raises:
            PeerFailedError: there is no answer.
        """
        how = {"at_least_s": at_least_s, "at_most_runs": 500, "memory": memory}
        stdin = _opened(self._process.stdin)
        with suppress(BrokenPipeError):  # then it ended, and the answer says so
            stdin.write(json.dumps({"case": asdict(cell.case), "how": how}) + "\n")
            stdin.flush()
        return Sample(**json.loads(self._said()))

    def _said(self) -> str:
        impatience = threading.Timer(PATIENCE_S, self._process.kill)
        impatience.start()
        try:
            line = _opened(self._process.stdout).readline()
        finally:
            impatience.cancel()
        if not line:
            self.end()
            raise PeerFailedError(self._log.read_text().strip()[-2000:] or f"ended with {self._process.returncode}")
        return line

    def end(self) -> None:
        """Let the process end, or make it."""
        with suppress(BrokenPipeError):
            _opened(self._process.stdin).close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _opened(self._process.stdout).close()


def _opened(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


def run(
    cells: list[Cell],
    *,
    python: Path,
    rounds: int,
    seed: int,
    at_least_s: float,
    tell: Callable[[str], None],
    peers: Mapping[str, Peer] = PEERS,
) -> Results:
    """Measure all cells; what fails is noted with its reason, and the rest goes on."""
    results, chance, began_s = Results(), random.Random(seed), time.monotonic()
    for cell in cells:
        if cell.why_not:
            results.leave_out(cell.peer, cell.case, cell.why_not)
    with scratch_folder({peer.package for peer in peers.values()}) as scratch:
        for number in range(rounds):
            todo = shuffled(cells, number, chance)
            _round(todo, results, peers, python, scratch, at_least_s)
            tell(f"round {number + 1} of {rounds}: {len(todo)} cells, {time.monotonic() - began_s:.0f} s so far")
    return results


def shuffled(cells: list[Cell], number: int, chance: random.Random) -> list[Cell]:
    """The cells of one round, counted from 0, in the order in which they run: shuffled, what is compared together."""
    todo = [cell for cell in cells if not cell.why_not and (cell.rounds is None or number < cell.rounds)]
    chance.shuffle(todo)
    # What is compared runs within seconds: a machine that others use too has fast minutes and slow ones.
    together: dict[tuple[str, str, int, int], list[Cell]] = {}
    for cell in todo:
        together.setdefault(compared(cell.case), []).append(cell)
    return [cell for group in together.values() for cell in group]


def compared(case: Case) -> tuple[str, str, int, int]:
    """Cases for which this is the same are measured one right after another."""
    if case.section == "overhead":
        return case.section, case.work, case.n, case.state_bytes
    return case.section, case.work, case.n if case.section == "grid" else 0, 0


def _round(
    todo: list[Cell], results: Results, peers: Mapping[str, Peer], python: Path, scratch: Path, at_least_s: float
) -> None:
    """Every worker is new in every round, so that no chance of one process's layout stays."""
    workers: dict[str, Worker] = {}
    try:
        for cell in todo:
            is_alone = cell.case.section == "memory"
            try:
                if is_alone and cell.peer in workers:
                    workers.pop(cell.peer).end()
                if cell.peer not in workers:
                    workers[cell.peer] = Worker(cell.peer, peers[cell.peer], python, scratch)
                sample = workers[cell.peer].measure(cell, at_least_s=at_least_s, memory=is_alone)
                if is_alone:
                    workers.pop(cell.peer).end()
            except PeerFailedError as error:
                workers.pop(cell.peer, None)
                sample = Sample(wrong=str(error))
            results.add(cell.peer, cell.case, sample)
    finally:
        for worker in workers.values():
            worker.end()


@contextmanager
def scratch_folder(packages: Iterable[str]) -> Iterator[Path]:
    """A folder for one run, with a copy of these packages and of Fanfold in its folder CODE.

    It is on the disk of the checkout: a journal on a RAM disk would cost nothing to sync.
    """
    cache = HERE / ".cache"
    cache.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="engine-", dir=cache) as folder:
        folders = sorted({"engine_peers", *packages})
        for source in (*(HERE / name for name in folders), HERE.parent / "src" / "fanfold"):
            # A copy, so that what is edited while it runs is measured in the next run and not in half of this one.
            shutil.copytree(source, Path(folder) / CODE / source.name, ignore=shutil.ignore_patterns("__pycache__"))
        yield Path(folder)
