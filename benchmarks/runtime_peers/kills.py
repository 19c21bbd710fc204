"""Kills runs half-way with SIGKILL, a process or one of its workers, and counts what runs again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine_peers.case import Case
from engine_peers.results import Results
from engine_peers.session import CODE, scratch_folder
from engine_peers.worker import Sample
from runtime_peers.flows import Mark, marks_in
from runtime_peers.plan import RESUMED, Scale

LIMIT, PATIENCE_S, LOOK_S = 16, 120.0, 0.0017


class NotKilledError(Exception):
    """A run ended, or hung, before it could be killed half-way; the message has what it wrote."""


class NotResumedError(Exception):
    """A resumed run failed; the message has what it wrote."""


def measure(
    scale: Scale, python: Path, seed: int, results: Results, peers: tuple[str, ...], tell: Callable[[str], None]
) -> None:
    """Kill and resume a run of each of the peers, so many times, in a shuffled order."""
    chance, case = random.Random(seed), killing(scale)
    with scratch_folder(("runtime_peers",)) as scratch:
        for number in range(scale.tries):
            for peer in chance.sample(peers, len(peers)):
                share = chance.uniform(0.35, 0.65)
                with tempfile.TemporaryDirectory(prefix="killed-", dir=scratch) as folder:
                    try:
                        sample = _tried(peer, case, scale.each_s, share, python, scratch / CODE, Path(folder))
                    except (NotKilledError, NotResumedError, subprocess.SubprocessError) as error:
                        sample = Sample(runs=1, wrong=f"{type(error).__name__}: {error}")
                    results.add(peer, case, sample)
            tell(f"killed {number + 1} of {scale.tries} times")


def killing(scale: Scale) -> Case:
    """The run that is killed."""
    return Case("kills", "marking", scale.killed, LIMIT)


def peers_of(*, with_peers: bool) -> tuple[str, ...]:
    """Who is killed."""
    return RESUMED if with_peers else ("native-journal",)


def _tried(peer: str, case: Case, each_s: float, share: float, python: Path, code: Path, folder: Path) -> Sample:
    log = folder / "log"
    start = _starter(peer, case, each_s, python, code, folder)
    if peer.startswith("cluster"):
        with start() as process:
            killed_s = _kill_half_way(process, folder / "marks", case.n * share, is_worker=True)
            told = _told(process, log)
        began_s, afresh_s = killed_s, told["began"]
    else:
        with start() as process:
            killed_s = _kill_half_way(process, folder / "marks", case.n * share, is_worker=False)
            afresh_s = _told(process, log)["began"]
        with start() as process:
            told = _told(process, log)
        began_s = told["began"]
    marks = marks_in(folder / "marks")
    sample = judged(peer, case, each_s, marks, killed_s, began_s, told)
    sample.extra["afresh_s"] = marks[0].at_s - afresh_s
    return sample


def _starter(peer: str, case: Case, each_s: float, python: Path, code: Path, folder: Path) -> Any:
    argv = [python, "-m", "runtime_peers.interrupted", peer, folder, case.n, case.limit, each_s]
    environment = {**os.environ, "PYTHONPATH": str(code)}

    @contextmanager
    def start() -> Iterator[subprocess.Popen[str]]:
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                list(map(str, argv)), env=environment, stdout=subprocess.PIPE, stderr=log, text=True
            )
        with process:
            try:
                yield process
            finally:
                process.kill()

    return start


def _kill_half_way(process: subprocess.Popen[str], marks: Path, ended: float, *, is_worker: bool) -> float:
    """Kill when so many branches have ended; when that was, on the machine's steady clock."""
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        left = marks_in(marks)
        if sum(mark.what == "ended" for mark in left) >= ended:
            break
        if process.poll() is not None or time.monotonic() > deadline_s:
            raise NotKilledError((marks.parent / "log").read_text()[-2000:])
        time.sleep(LOOK_S)
    os.kill(
        next(mark.pid for mark in reversed(left) if mark.what == "ended") if is_worker else process.pid, signal.SIGKILL
    )
    return time.monotonic()


def _told(process: subprocess.Popen[str], log: Path) -> dict[str, Any]:
    output, _ = process.communicate(timeout=PATIENCE_S)
    if process.returncode not in {0, -signal.SIGKILL}:
        raise NotResumedError(log.read_text().strip()[-2000:])
    told: dict[str, Any] = {}
    for line in output.splitlines():
        told |= json.loads(line)
    return told


def judged(
    peer: str, case: Case, each_s: float, marks: list[Mark], killed_s: float, began_s: float, told: dict[str, Any]
) -> Sample:
    """What the marks say of a run that was killed at `killed_s` and resumed at `began_s`; wrong as it is judged."""
    before, after = ([mark for mark in marks if (mark.at_s > killed_s) is is_after] for is_after in (False, True))
    begun, ended, known = ({mark.number for mark in before if mark.what == what} for what in ("began", "ended", "told"))
    begun_after = [mark for mark in after if mark.what == "began"]
    again = {mark.number for mark in begun_after}
    # On a cluster that goes on, most of what begins would have begun anyway.
    resumed = [mark for mark in begun_after if mark.number in begun] if peer.startswith("cluster") else begun_after
    rest = case.n - len(ended)
    extra = {
        "ended": float(len(ended)),
        "cut_off": float(len(begun - ended)),
        "again": float(len(again & ended)),
        "known_again": float(len(again & known)),
        "first_s": (resumed[0].at_s if resumed else told["ended"]) - began_s,
        "took_s": told["ended"] - began_s,
        "ideal_s": rest / LIMIT * each_s,
    }
    wrong = "" if told["results"] == case.expected() else "the results are not those of an undisturbed run"
    if extra["known_again"] and not wrong:
        wrong = f"{extra['known_again']:.0f} branches ran again whose outcomes were known"
    return Sample(wall_s=extra["took_s"], runs=1, extra=extra, wrong=wrong)
