"""The system behind a job's trouble: what a job sees of it is a symptom, what that system itself reports is the reason.

A job whose database hangs sees timeouts, a pool without connections, a connection that breaks. Where the machine that
this database is on says, from before then on, that its disk is full, the job's own words are a consequence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.rules.facts import first_time, word
from fanfold.troubleshoot.rules.reading import LATER, SPECIFIC, Speaker, Text, channel_of, read, text_of
from fanfold.troubleshoot.rules.scene import Case, Scene
from fanfold.troubleshoot.rules.sign import Sign

SYMPTOMS: Final = frozenset(
    {
        "application_error",
        "database_down",
        "dependency_failing",
        "lock_contention",
        "network",
        "quota_exhausted",
        "time_limit",
    }
)
"""What a job sees of a system that hangs or breaks, whatever the reason is."""
REASONS: Final = frozenset({"certificate_expired", "disk_full", "memory_exhausted"})
"""What a system runs out of, and seldom because of one job that calls it."""
OF_THE_SYSTEM: Final = 0.7
RATHER_A_SYMPTOM: Final = 0.6
_LEAST_NAME: Final = 4


def pieces(scene: Scene, named: Iterable[Sign]) -> list[Evidence]:
    """What machines say of the systems that a job's own errors name."""
    names = [re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])", re.IGNORECASE) for name in _systems(named)]
    if not names:
        return []
    said = (piece for piece in scene.of_kind("log", "event", "alert") if not word(piece.facts, "job"))
    return [piece for piece in said if any(name.search(piece.text) or name.search(piece.subject) for name in names)]


def _systems(signs: Iterable[Sign]) -> set[str]:
    """Names of what a job's errors are about, where these are names of something: RETDW, db07, db.acme.example."""
    objects = (sign.object for sign in signs if sign.cause in SYMPTOMS and sign.certain)
    names = (name.strip("().,:;") for one in objects for name in one.split() if not one.startswith("/"))
    return {name for name in names if len(name) >= _LEAST_NAME and (name.isupper() or re.search(r"\d|\.", name))}


def hosts(found: Iterable[Evidence]) -> str:
    """The machines that these are from, each on a line."""
    return "\n".join(sorted({(word(piece.facts, "host") or piece.subject).casefold() for piece in found}))


def texts(found: Sequence[Evidence], factors: Iterable[float]) -> list[Text]:
    """What they say, as something else than the job says it."""
    return [
        replace(text_of(piece, channel_of(piece), factor=factor), own=False)
        for piece, factor in zip(found, factors, strict=True)
    ]


def signs(case: Case, found: Sequence[Evidence], said: Sequence[Text], seen: Sequence[Sign]) -> Iterator[Sign]:
    """What the systems behind say is wrong; where that is a reason and came first, what the job saw is its symptom.

    Args:
        found, said: what machines say of these systems, as pieces and as texts.
        seen: the signs of the job's own texts.
    """
    before = {piece.id for piece in found if (at := first_time(piece)) is None or at <= case.until}
    told = [sign for sign in read(said, Speaker(job=case.name)) if sign.cause in REASONS]
    reasons = [sign for sign in told if before & set(sign.evidence) and sign.weight >= SPECIFIC * OF_THE_SYSTEM * LATER]
    yield from told
    if not reasons:
        return
    first = max(reasons, key=lambda sign: sign.weight)
    yield replace(first, weight=SPECIFIC, channel="structure")
    for cause in sorted({sign.cause for sign in seen} & SYMPTOMS):
        yield Sign(
            cause=cause, object="", weight=RATHER_A_SYMPTOM, evidence=first.evidence, channel="structure", against=True
        )
