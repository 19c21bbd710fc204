"""Put signs together: which causes they speak for, and how much altogether."""

from __future__ import annotations

import os.path
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod

from fanfold.troubleshoot.rules.sign import Sign

MOST = 0.97
LEAST = 0.35
MOST_IDS = 6
MUCH_WEAKER = 0.22
_OF_FOLDERS = frozenset({"disk_full", "permission_denied"})
_OF_SYSTEMS = frozenset(
    {
        "agent_down",
        "certificate_expired",
        "credentials",
        "database_down",
        "dependency_failing",
        "lock_contention",
        "memory_exhausted",
        "network",
        "quota_exhausted",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A cause, with all that speaks for it and against it.

    Attributes:
        score: from 0 to 1.
        jobs: that it explains.
        met_by: those of them that it befell, or one before them for which they wait.
        certain: whether its object is named anywhere.
    """

    cause: str
    object: str
    score: float
    evidence: tuple[str, ...]
    against: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    met_by: tuple[str, ...] = ()
    certain: bool = True


def candidates(signs: Iterable[Sign], *, job: str = "") -> list[Candidate]:
    """One candidate for each cause, the likeliest first.

    Signs of one channel are told by one voice, so the strongest of them counts; those of several channels add up as
    independent ones do: 1 - (1-a)(1-b). What only supports is no reason by itself; what speaks against a cause
    takes its share of the whole.
    """
    by_cause: dict[str, list[Sign]] = {}
    for sign in signs:
        if sign.weight > 0:
            by_cause.setdefault(sign.cause, []).append(sign)
    found = [
        _candidate(cause, ones, job)
        for cause, ones in by_cause.items()
        if any(not one.supports and not one.against for one in ones)
    ]
    return sorted(found, key=lambda one: -one.score)


def _candidate(cause: str, signs: Sequence[Sign], job: str) -> Candidate:
    contrary = [one for one in signs if one.against]
    signs = [one for one in signs if not one.against]
    ranked = sorted(signs, key=lambda one: (one.supports, -round(one.weight, 2), one.order))
    strongest: dict[str, float] = {}
    for sign in ranked:
        strongest[sign.channel] = max(strongest.get(sign.channel, 0.0), min(sign.weight, MOST))
    named = next((one for one in ranked if one.object and one.certain), None)
    first = next((one for one in ranked if one.object), ranked[0])
    # The nearest thing gives way to one that is named, unless what names it is much weaker.
    if named is not None and named.weight >= MUCH_WEAKER * first.weight:
        first = named
    ids = _most_telling(ranked)
    return Candidate(
        cause=cause,
        object=first.object,
        score=min(MOST, 1 - prod(1 - weight for weight in strongest.values()))
        * prod(1 - one.weight for one in contrary),
        evidence=ids,
        against=tuple(dict.fromkeys(id_ for one in contrary for id_ in one.evidence if id_ and id_ not in ids)),
        jobs=(job,) if job else (),
        met_by=_met_by(ranked, job),
        certain=first.certain,
    )


def _met_by(signs: Sequence[Sign], job: str) -> tuple[str, ...]:
    befell = {sign.of or job for sign in signs if not sign.supports}
    return (job,) * bool(job) if job in befell else tuple(sorted(befell))


def _most_telling(ranked: Sequence[Sign]) -> tuple[str, ...]:
    """Ids for what signs rest on: the best of each channel first, for a second voice says more than the first again."""
    first_of = {one.channel: one for one in reversed(ranked)}
    firsts = [one.evidence[0] for one in ranked if first_of[one.channel] is one and one.evidence]
    others = [id_ for one in ranked for id_ in one.evidence]
    return tuple(dict.fromkeys(id_ for id_ in (*firsts, *others) if id_))[:MOST_IDS]


def merged(groups: Sequence[Sequence[Candidate]]) -> list[Candidate]:
    """The candidates of several jobs: what is the same becomes one; then the first of each job, then the others."""
    joined: list[Candidate] = []
    firsts = 0
    for rank in range(max(map(len, groups), default=0)):
        level = sorted((group[rank] for group in groups if rank < len(group)), key=lambda one: -one.score)
        for candidate in level:
            index = next((index for index, one in enumerate(joined) if is_same(one, candidate)), None)
            if index is None:
                joined.append(candidate)
            else:
                joined[index] = _joined(joined[index], candidate)
        if rank == 0:
            firsts = len(joined)
    return [*joined[:firsts], *sorted(joined[firsts:], key=lambda one: -one.score)]


def is_same(one: Candidate, other: Candidate) -> bool:
    """Whether two candidates are one cause."""
    if one.cause != other.cause:
        return False
    a, b = one.object.casefold(), other.object.casefold()
    if not a or not b or a in b or b in a:
        return True
    if one.cause in _OF_FOLDERS and _shared_folder(a, b):
        return True
    return one.cause in _OF_SYSTEMS and bool(_words(a) & _words(b))


def _joined(one: Candidate, other: Candidate) -> Candidate:
    shared = _shared_folder(one.object, other.object) if one.cause in _OF_FOLDERS else ""
    return replace(
        one,
        object=shared or one.object or other.object,
        score=min(MOST, max(one.score, other.score) + 0.02),
        evidence=tuple(dict.fromkeys((*one.evidence[:3], *other.evidence[:3], *one.evidence, *other.evidence)))[:8],
        jobs=tuple(dict.fromkeys((*one.jobs, *other.jobs))),
        met_by=tuple(dict.fromkeys((*one.met_by, *other.met_by))),
        against=tuple(dict.fromkeys((*one.against, *other.against))),
    )


def _shared_folder(one: str, other: str) -> str:
    """The folder that two paths have in common, but for the root; "" = they aren't paths, or have none."""
    one, other = one.partition(" (")[0], other.partition(" (")[0]
    if not (one.startswith("/") and other.startswith("/")):
        return ""
    common = os.path.commonpath([one, other])
    return common if common != "/" and one != other else ""


def _words(text: str) -> set[str]:
    parts = text.replace("(", " ").replace(")", " ").replace("@", " ").split()
    return {part.partition(".")[0] if not part.startswith("/") else part for part in parts if len(part) > 3}
