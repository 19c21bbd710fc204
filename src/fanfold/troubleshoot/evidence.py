"""What a source answered, as data that can be cited, saved and replayed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

Fact: TypeAlias = str | int | float | bool | list[str] | None
"""What stands in `facts`: JSON that needs no type to be read back."""

Kind: TypeAlias = Literal[
    "job",
    "run",
    "joblog",
    "dependency",
    "workstation",
    "plan",
    "runbook",
    "log",
    "history",
    "metric",
    "change",
    "event",
    "alert",
    "topology",
    "note",
]
"""What a piece of evidence is. The facts that belong to each kind, all of them optional:

    job         job, jobstream, workstation, folder, status, substatus, return_code, error, started, ended, elapsed_s,
                estimated_s, attempt, recovery, changed, run
    run         job, run, status, return_code, started, ended, elapsed_s, estimated_s, attempt, workstation
    joblog      job, run, exit_status, user, script, lines, bytes, cut
    dependency  job, other, relation (predecessor, successor), depth, status, substatus, what,
                type (job, jobstream, resource, file, prompt, time), changed
    workstation workstation, status, linked, running, limit, fence, agents, healthy
    plan        status, jobs, count
    runbook     entry, title, section, rank, exact, cause, steps
    log         job, host, level, template, count, first, last, file
    history     job, failures, successes, last_failure, last_success, usual_elapsed_s
    metric      name, query, labels, value, before, ratio, unit, first, last, anomaly (up, down, gone, none)
    change      what, object, author, before, after
    event       name, object, reason, count, first, last
    alert       name, object, severity, state, since
    topology    object, depends_on, relation
    note        whatever the source found worth saying

Times are ISO 8601 with a zone.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One thing that a source found, small enough to be read whole.

    Attributes:
        source: the source's name.
        kind: what it is; decides what `facts` hold.
        subject: the object that it is about: a job, a workstation, a service, a series.
        text: what it says, for people; secrets are masked. Untrusted: whoever wrote the log wrote this.
        facts: the same for rules.
        codes: abend, return and message codes in it, in upper case.
        at: when that was, with a time zone.
        reference: where to look it up: a URL, a path with a line, a query.
        score: how well it fits the question, from 0 to 1; None = the source doesn't rank.
        id: "E1" and so on, given when all sources have answered.
    """

    source: str
    kind: Kind
    subject: str
    text: str
    facts: Mapping[str, Fact] = field(default_factory=dict)
    codes: tuple[str, ...] = ()
    at: datetime | None = None
    reference: str = ""
    score: float | None = None
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came of one source.

    Attributes:
        source: its name.
        evidence: what it found, the most telling first; none where it found nothing or failed.
        latency_ms: how long it took.
        error: why it has nothing to say; None = it answered.
        timed_out: whether its time was up.
    """

    source: str
    evidence: tuple[Evidence, ...] = ()
    latency_ms: float = 0.0
    error: str | None = None
    timed_out: bool = False

    @property
    def success(self) -> bool:
        """Whether it answered, if only that there is nothing."""
        return self.error is None
