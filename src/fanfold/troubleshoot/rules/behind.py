"""The system behind a job's trouble: what a job sees of it is a symptom, what that system itself reports is the reason.

A job whose database hangs sees timeouts, a pool without connections, a connection that breaks. Where the machine that
this database is on says, from before then on, that its disk is full, the job's own words are a consequence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from fanfold.troubleshoot.codes import codes_in
from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.rules.facts import first_time, word
from fanfold.troubleshoot.rules.objects import find
from fanfold.troubleshoot.rules.reading import SPECIFIC, Text, host_of
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
TOLD: Final = 0.3
RATHER_A_SYMPTOM: Final = 0.6
_NAME = re.compile(r"(?<![\w.-])[A-Za-z][\w$#]{3,}")


def systems(scene: Scene, case: Case, own: Sequence[Text], seen: Iterable[Sign]) -> list[Evidence]:
    """What machines say of the systems that a job's own errors name.

    Args:
        own: the job's own texts.
        seen: the signs in them.
    """
    names = _names(case, own, [sign for sign in seen if sign.cause in SYMPTOMS])
    machines = (piece for piece in scene.of_kind("log", "event", "alert") if not word(piece.facts, "job"))
    return [piece for piece in machines if names and names & _words(f"{piece.subject} {piece.text}")]


def _names(case: Case, own: Sequence[Text], symptoms: Sequence[Sign]) -> set[str]:
    """Names that errors are about, and others beside them that only names look like: RETDW, QMPAY01, db07."""
    ids = {id_ for sign in symptoms for id_ in sign.evidence}
    said = "\n".join(text.text for text in own if text.piece.id in ids)
    objects = (sign.object for sign in symptoms if sign.certain and not sign.object.startswith("/"))
    about = " ".join((*objects, find(("database",), said.split("\n"))))
    names = {name for name in _words(about) if name.isupper()} | {
        name for name in _words(said) if re.search(r"\d", name) and name not in codes_in(said)
    }
    return names - {case.name, case.workstation}


def _words(text: str) -> set[str]:
    return set(_NAME.findall(text))


def hosts(found: Iterable[Evidence]) -> str:
    """The machines that these are from, each on a line."""
    return "\n".join(sorted({host_of(piece).casefold() for piece in found}))


def signs(case: Case, said: Iterable[Text], seen: Sequence[Sign]) -> Iterator[Sign]:
    """Where a system behind gives a reason that came first, what the job saw of it is a symptom.

    Args:
        said: what other machines say.
        seen: the signs of all texts.
    """
    here = case.workstation.casefold().partition(".")[0]
    elsewhere = [text.piece for text in said if host_of(text.piece).casefold().partition(".")[0] != here]
    before = {piece.id for piece in elsewhere if (at := first_time(piece)) is None or at <= case.until}
    reasons = [sign for sign in seen if sign.cause in REASONS and sign.weight >= TOLD and before & set(sign.evidence)]
    if not reasons:
        return
    first = max(reasons, key=lambda sign: sign.weight)
    yield replace(first, weight=SPECIFIC, channel="structure")
    for cause in sorted({sign.cause for sign in seen} & SYMPTOMS):
        yield Sign(
            cause=cause, object="", weight=RATHER_A_SYMPTOM, evidence=first.evidence, channel="structure", against=True
        )
