"""Jobs, their runs and workstations, as a scheduler tells of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

FAILING = ("ABEND", "ERROR", "FAIL", "STUCK")
WAITING = ("HOLD", "READY", "WAIT", "FENCE", "INTRO", "PEND")


@dataclass(frozen=True, slots=True)
class JobName:
    """A job as people name it: `NAME`, `STREAM.NAME`, `WORKSTATION#/FOLDER/STREAM.NAME`; "" where nothing is said."""

    name: str
    jobstream: str = ""
    folder: str = ""
    workstation: str = ""

    @classmethod
    def parse(cls, text: str) -> JobName:
        """The parts of a name."""
        workstation, sign, rest = text.strip().rpartition("#")
        folder, slash, path = rest.rpartition("/")
        jobstream, _, name = path.rpartition(".")
        return cls(name, jobstream, folder + slash, workstation.lstrip("/") if sign else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRun:
    """One run of a job; None where the scheduler doesn't say."""

    id: str
    number: str = ""
    status: str = ""
    return_code: int | None = None
    started: datetime | None = None
    ended: datetime | None = None
    elapsed_s: float | None = None
    estimated_s: float | None = None
    attempt: int | None = None
    workstation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One thing that a job depends on; `id` is that of a job."""

    type: str
    name: str
    id: str = ""
    jobstream: str = ""
    status: str = ""

    @property
    def is_satisfied(self) -> bool:
        """Whether the job doesn't wait for it any more."""
        return self.status.upper() in ("SATISFIED", "RELEASED", "DONE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One instance of a job in the plan."""

    id: str
    name: str
    jobstream: str = ""
    workstation: str = ""
    folder: str = ""
    status: str = ""
    substatus: str = ""
    error: str = ""
    recovery: str = ""
    scheduled: datetime | None = None
    changed: datetime | None = None
    runs: tuple[JobRun, ...] = ()
    links: tuple[Link, ...] = ()

    @property
    def title(self) -> str:
        """What people call it: `STREAM.NAME`."""
        return f"{self.jobstream}.{self.name}" if self.jobstream else self.name

    @property
    def is_failing(self) -> bool:
        """Whether it ended badly, or can't go on."""
        return self.status in FAILING

    @property
    def last_run(self) -> JobRun | None:
        """Its newest run."""
        return self.runs[-1] if self.runs else None

    @property
    def telling_run(self) -> JobRun | None:
        """The run whose log tells most: the newest, or the last one that failed where it was run again since."""
        if self.is_failing or self.status == "EXEC":
            return self.last_run
        failed = [run for run in self.runs if run.status in FAILING]
        return failed[-1] if failed else self.last_run

    @property
    def seen_at(self) -> datetime | None:
        """When something last happened to it."""
        run = self.last_run
        return (run.ended or run.started if run else None) or self.scheduled


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkstationState:
    """A workstation of the plan; None where the scheduler doesn't say."""

    id: str
    name: str
    linked: bool | None = None
    running: bool | None = None
    limit: int | None = None
    fence: int | None = None
    agents: tuple[str, ...] = ()
    healthy: bool | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What the engine says of itself and its plan."""

    name: str = ""
    version: str = ""
    plan_starts: datetime | None = None
    plan_ends: datetime | None = None


def usual_elapsed_s(runs: Sequence[JobRun]) -> float | None:
    """How long successful runs take, as their median; None where there is none."""
    known = [run.elapsed_s for run in runs if run.status == "SUCC" and run.elapsed_s is not None]
    return median(known) if known else None
