"""Which jobs, which runs and which evidence come first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime

from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.sources.workload.api import Relation
from fanfold.troubleshoot.sources.workload.plan import FAILING, Job

FAR_PAST = datetime.min.replace(tzinfo=UTC)
MOST_EVIDENCE = 45
MOST_NOTES = 10


def is_same(one: Job, other: Job) -> bool:
    """Whether these are instances of one job."""
    return _identity(one) == _identity(other)


def one_of_each(jobs: Iterable[Job], until: datetime) -> list[Job]:
    """Of every job the instance that is meant: the newest that fails, else the newest that has begun, else any.

    Instances that began after `until` are meant only where there is no other.
    """
    chosen: dict[tuple[str, ...], Job] = {}
    for job in jobs:
        before = chosen.get(_identity(job))
        if before is None or _rank(job, until) > _rank(before, until):
            chosen[_identity(job)] = job
    return sorted(chosen.values(), key=lambda job: _rank(job, until), reverse=True)


def by_title(jobs: Iterable[Job]) -> dict[str, Job]:
    """The jobs by what people call them; by their ids as well where that is the same for several."""
    titled: dict[str, Job] = {}
    for job in jobs:
        titled[f"{job.title} ({job.id})" if job.title in titled else job.title] = job
    return titled


def distances(job: Job, others: Iterable[Job], relation: Relation) -> dict[str, int]:
    """How many steps lie between a job and others, by their ids; 1 where it can't be seen."""
    others = list(others)
    steps: dict[str, set[str]] = {}
    for one in (job, *others):
        for link in one.links:
            near, far = (one.id, link.id) if relation == "predecessor" else (link.id, one.id)
            steps.setdefault(near, set()).add(far)
    found: dict[str, int] = {job.id: 0}
    level = [job.id]
    while level:
        level = [far for near in level for far in sorted(steps.get(near, ())) if far not in found]
        depth = max(found.values()) + 1
        found |= dict.fromkeys(level, depth)
    return {other.id: found.get(other.id, 1) for other in others}


def telling_first(related: Sequence[tuple[Job, int]]) -> list[tuple[Job, int]]:
    """Failing ones first, then those that aren't done; the nearest first among equals."""
    return sorted(related, key=lambda pair: (not pair[0].is_failing, pair[0].status == "SUCC", pair[1]))


def by_weight(evidence: Iterable[Evidence], named: Collection[str]) -> list[Evidence]:
    """The most telling evidence first, no piece twice, no more than can be read; of notes, the first ones stay."""
    once = list({(piece.kind, piece.subject, piece.text): piece for piece in evidence}.values())
    notes = [piece for piece in once if piece.kind == "note"][:MOST_NOTES]
    others = sorted((piece for piece in once if piece.kind != "note"), key=lambda piece: _weight(piece, named))
    return [*others[: MOST_EVIDENCE - len(notes)], *notes]


def _weight(piece: Evidence, named: Collection[str]) -> int:
    facts = piece.facts
    failing = facts.get("status") in FAILING
    if piece.kind == "job":
        return 0 if piece.subject in named or not named else 2
    if piece.kind == "joblog":
        return 1 if piece.codes else 5
    if piece.kind == "dependency":
        if facts.get("relation") == "successor":
            return 6
        waiting = facts.get("status") not in ("SUCC", "SATISFIED", "")
        return 2 if failing else 3 if waiting else 8
    if piece.kind == "workstation":
        well = facts.get("linked") is not False and facts.get("running") is not False
        return 8 if well and facts.get("healthy") is not False and facts.get("limit") != 0 else 2
    return {"plan": 4, "history": 4, "run": 7}.get(piece.kind, 9)


def _identity(job: Job) -> tuple[str, ...]:
    return job.name, job.jobstream, job.folder, job.workstation


def _rank(job: Job, until: datetime) -> tuple[bool, bool, bool, datetime]:
    at = job.seen_at or FAR_PAST
    begun = bool(job.runs)
    return at <= until, job.is_failing, begun, at
