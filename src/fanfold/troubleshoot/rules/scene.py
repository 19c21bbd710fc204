"""All evidence of an incident in the order that rules need: by job, by kind, in time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from fanfold.troubleshoot.evidence import Answered, Evidence, Kind
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.rules.facts import number, time, word, words, zoned

State: TypeAlias = Literal["failed", "waiting", "running", "cancelled", "done", "absent", "unknown"]
"""Absent: the scheduler says that there is no such job; unknown: it says nothing of it."""

FAILING = frozenset({"ABEND", "ERROR", "FAIL", "FAILED", "STUCK"})
WAITING = frozenset({"HOLD", "READY", "WAIT", "FENCE", "INTRO", "PEND"})
_STATES: dict[str, State] = {
    **dict.fromkeys(FAILING, "failed"),
    **dict.fromkeys(WAITING, "waiting"),
    "EXEC": "running",
    "CANCL": "cancelled",
    "CANCELLED": "cancelled",
    "SUCC": "done",
    "SUCCESS": "done",
    "SUPPR": "done",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One job that is asked about, or that another one waits for.

    Attributes:
        piece: what the scheduler says of it; None = nothing.
        began, until: when it was under way; where it never ran, the hours before the question.
    """

    name: str
    state: State
    piece: Evidence | None
    began: datetime
    until: datetime

    @property
    def workstation(self) -> str:
        """Where it runs."""
        return word(self.piece.facts, "workstation") if self.piece else ""

    @property
    def substatus(self) -> str:
        """Why it waits, in the scheduler's words."""
        return word(self.piece.facts, "substatus").upper() if self.piece else ""

    @property
    def run(self) -> str:
        """The id of its last run."""
        return word(self.piece.facts, "run") if self.piece else ""

    @property
    def ids(self) -> tuple[str, ...]:
        """The id of what the scheduler says of it."""
        return (self.piece.id,) if self.piece else ()


@dataclass(frozen=True, slots=True)
class Scene:
    """What is asked, and all that was answered."""

    incident: Incident
    sources: tuple[Answered, ...]
    pieces: tuple[Evidence, ...]

    @classmethod
    def of(cls, incident: Incident, sources: Sequence[Answered]) -> Scene:
        """The scene that sources tell of."""
        sources = tuple(sources)
        return cls(incident, sources, tuple(piece for one in sources for piece in one.evidence))

    @property
    def now(self) -> datetime:
        """When it is looked at, with a zone."""
        at = zoned(self.incident.now)
        assert at is not None  # noqa: S101 an incident always has it
        return at

    @property
    def until(self) -> datetime:
        """When it happened, as far as the question says."""
        return zoned(self.incident.until) or self.now

    def of_kind(self, *kinds: Kind) -> Iterator[Evidence]:
        """The evidence of some kinds."""
        return (piece for piece in self.pieces if piece.kind in kinds)

    def job(self, name: str) -> Evidence | None:
        """What the scheduler says of a job."""
        wanted = short(name)
        return next((piece for piece in self.of_kind("job") if short(piece.subject) == wanted), None)

    def about(self, name: str, *kinds: Kind) -> Iterator[Evidence]:
        """Evidence whose job, or else whose subject, is this one."""
        wanted = short(name)
        return (piece for piece in self.of_kind(*kinds) if job_of(piece) == wanted)

    def case(self, name: str) -> Case:
        """A job with its state."""
        piece = self.job(name)
        state = state_of(piece) if piece else ("absent" if self._is_denied(name) else "unknown")
        began, until = self._span(piece)
        shown = piece.subject if piece else short(name)
        return Case(name=shown, state=state, piece=piece, began=began, until=until)

    def asked(self) -> tuple[Case, ...]:
        """The jobs that it is about: those that the question names, else those that fail."""
        named = [self.case(name) for name in dict.fromkeys(map(short, self.incident.jobs))]
        known = [case for case in named if case.state not in ("absent", "unknown") or self._has_lines(case)]
        return tuple(known or named or self._failing())

    def _failing(self) -> list[Case]:
        """The jobs that fail, but those that fail after another of them."""
        listed = {short(name) for piece in self.of_kind("plan") for name in words(piece.facts, "jobs")}
        names = dict.fromkeys(piece.subject for piece in self.of_kind("job"))
        cases = [self.case(name) for name in names]
        return [one for one in cases if one.state == "failed" and (not listed or short(one.name) in listed)]

    def _has_lines(self, case: Case) -> bool:
        return any(True for _ in self.about(case.name, "log", "joblog"))

    def _is_denied(self, name: str) -> bool:
        """Whether the scheduler, which answered, has no such job."""
        schedulers = {piece.source for piece in self.of_kind("job", "plan", "workstation")}
        said = any(short(piece.subject) == short(name) for piece in self.of_kind("note") if piece.source in schedulers)
        return said or any(one.source == "tws_status" and one.success and one.evidence for one in self.sources)

    def _span(self, piece: Evidence | None) -> tuple[datetime, datetime]:
        facts = piece.facts if piece else {}
        until = time(facts, "ended") or self.until
        began = time(facts, "started")
        if began is None or began > until:
            began = until - timedelta(seconds=max(self.incident.window_s, 6 * 3600.0))
        return began, until


def short(name: str) -> str:
    """The bare name of a job, in upper case: NAME of `WORKSTATION#/FOLDER/STREAM.NAME`."""
    return name.strip().rpartition("#")[2].rpartition("/")[2].rpartition(".")[2].upper()


def job_of(piece: Evidence) -> str:
    """The job that a piece is about."""
    return short(word(piece.facts, "job") or (piece.subject if piece.kind in ("job", "joblog", "run") else ""))


def state_of(piece: Evidence) -> State:
    """The state of a job as the scheduler has it."""
    return _STATES.get(word(piece.facts, "status").upper(), "unknown")


def overrun(piece: Evidence, now: datetime) -> float | None:
    """How many times its usual duration a job has taken; None = that can't be said."""
    usual = number(piece.facts, "estimated_s")
    took = number(piece.facts, "elapsed_s")
    began, ended = time(piece.facts, "started"), time(piece.facts, "ended")
    if took is None or (began and not ended):
        took = ((ended or now) - began).total_seconds() if began else None
    return took / usual if took is not None and usual and usual > 0 else None
