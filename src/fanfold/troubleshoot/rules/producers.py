"""What comes before a job and was changed shortly before that began to fail: it may write something else since."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.rules import waiting
from fanfold.troubleshoot.rules.facts import time, word
from fanfold.troubleshoot.rules.scene import Case, Scene
from fanfold.troubleshoot.rules.sign import Sign
from fanfold.troubleshoot.rules.surroundings import recency

OF_THE_INPUT: Final = frozenset({"bad_data", "missing_file"})
"""Causes that lie in what a job is given, so that whoever writes that may have brought them about."""
RECENT: Final = 0.6
CHANGED: Final = 0.45
SUPPORT: Final = 0.3


@dataclass(frozen=True, slots=True)
class Producer:
    """A job before another one, and when its definition was changed.

    Attributes:
        piece: the evidence that says so.
    """

    name: str
    at: datetime
    piece: Evidence


def changed(scene: Scene, case: Case, since: datetime) -> list[Producer]:
    """The jobs before it that were changed in the days before `since`, the latest change first."""
    found = [one for piece in waiting.predecessors(scene, case) if (one := _producer(scene, piece))]
    return sorted((one for one in found if recency(one.at, since) >= RECENT), key=lambda one: one.at, reverse=True)


def _producer(scene: Scene, piece: Evidence) -> Producer | None:
    name = word(piece.facts, "other") or piece.subject
    told = scene.job(name)
    for one in (piece, told):
        at = time(one.facts, "changed") if one is not None else None
        if at is not None and one is not None:
            return Producer(name, at, one)
    return None


def signs(scene: Scene, case: Case, since: datetime, causes: Iterable[str]) -> Iterator[Sign]:
    """Changes of what writes a job's input, where its trouble lies in that: suspects, and support for those causes."""
    fits = OF_THE_INPUT & set(causes)
    for one in changed(scene, case, since) if fits else ():
        weight, ids = recency(one.at, since), (one.piece.id,)
        yield Sign(cause="change", object=one.name, weight=CHANGED * weight, evidence=ids, channel="change")
        for cause in sorted(fits):
            yield Sign(cause=cause, object="", weight=SUPPORT * weight, evidence=ids, channel="change", supports=True)
