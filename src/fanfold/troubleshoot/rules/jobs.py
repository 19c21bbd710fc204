"""What is wrong with one job: the signs of its own texts, of its structure and of what stands around it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.rules import behind, producers, surroundings, waiting
from fanfold.troubleshoot.rules.facts import first_time, last_time, word
from fanfold.troubleshoot.rules.reading import SPECIFIC, Speaker, Text, channel_of, host_of, names_in, read, text_of
from fanfold.troubleshoot.rules.scene import Case, Scene, overrun, short
from fanfold.troubleshoot.rules.sign import Sign, likely
from fanfold.troubleshoot.rules.weigh import Candidate, candidates

SLACK = timedelta(minutes=15)
MACHINE = 0.62
LONG_AGO = 0.12
EARLIER_TODAY = 0.4
AFTERWARDS = 0.6
UNDATED = 0.7
EVERY_DAY = {"WARN": 0.4, "WARNING": 0.4}
EVERY_DAY_ERROR = 0.7
OF_THE_ROOT = 0.85
TOO_LONG = 1.5
BESIDES = 0.45
NOT_PLANNED = 0.65
LIKELY = 0.3


def explained(scene: Scene, case: Case, *, depth: int = 0) -> list[Candidate]:
    """The causes of one job's trouble, the likeliest first; none where nothing speaks for any."""
    signs = list(_signs(scene, case, depth))
    return candidates(signs, job=case.name)


def is_well(scene: Scene, case: Case) -> bool:
    """Whether a job ended well, or runs or waits as it should."""
    if case.state == "done":
        return True
    if case.state == "running":
        times = overrun(case.piece, scene.now) if case.piece else None
        return times is None or times < TOO_LONG
    return False


def _signs(scene: Scene, case: Case, depth: int) -> Iterator[Sign]:
    texts = list(texts_of(scene, case))
    own = [text.piece for text in texts if text.own]
    structure = [*([case.piece] if case.piece else []), *waiting.predecessors(scene, case)]
    near = f"{names_in([*own, *structure])}\n{case.name}\n{case.workstation}\n{scene.incident.message}".casefold()
    speaker = Speaker(job=case.name, workstation=case.workstation)
    codes = tuple(code for piece in (case.piece, *own) if piece for code in piece.codes if code.startswith("RC="))
    systems = behind.systems(scene, case, [text for text in texts if text.own], read(texts, speaker, codes))
    near = f"{near}\n{behind.hosts(systems)}"
    machines = list(_machine_texts(scene, case, near))
    found = read([*texts, *machines], speaker, codes)
    found += behind.signs(case, machines, found)
    if case.state in ("failed", "running", "done"):
        # A job that ran was scheduled, whatever its log says of calendars.
        found = [sign for sign in found if sign.cause != "scheduling"]
    if case.state in ("waiting", "absent"):
        found += waiting.signs(scene, case)
    if case.state == "waiting" and depth == 0:
        found += _of_the_root(scene, case)
    if case.state == "cancelled":
        found.append(_cancelled(case))
    if case.state == "failed":
        found += _after_a_failure(scene, case)
    is_explained = any(sign.weight >= SPECIFIC for sign in found)
    found += surroundings.workstation(scene, case, is_explained=is_explained)
    found += surroundings.metrics(scene, case.began, case.until, near)
    found += surroundings.runbooks(scene, _codes(case, own))
    found += _not_planned(scene, case)
    yield from found
    yield from _changes(scene, case, near, found, names_in(own))


def texts_of(scene: Scene, case: Case) -> Iterator[Text]:
    """What a job itself says: its log, its lines, and what the scheduler says of it."""
    joblogs = [piece for piece in scene.about(case.name, "joblog") if word(piece.facts, "run") in ("", case.run)]
    yield from (text_of(piece, "joblog") for piece in joblogs)
    for piece in scene.about(case.name, "log", "event", "alert"):
        yield text_of(piece, channel_of(piece), factor=when(piece, case.began, case.until))
    if case.piece is not None:
        error = word(case.piece.facts, "error")
        yield text_of(replace(case.piece, text=error), "asked", factor=0.9)


def when(piece: Evidence, began: datetime, until: datetime) -> float:
    """How much a line counts by its time: in full while the job ran, hardly if that was long ago or is so every day."""
    first, last = first_time(piece), last_time(piece)
    if last is None:
        return UNDATED
    if last < began - SLACK:
        return EARLIER_TODAY if began - last < timedelta(hours=12) else LONG_AGO
    usual = piece.facts.get("usual")
    if usual is True or (usual is None and first is not None and first < began - timedelta(hours=20)):
        return EVERY_DAY.get(word(piece.facts, "level").upper(), EVERY_DAY_ERROR)
    return 1.0 if (first or last) <= until + SLACK else AFTERWARDS


def _machine_texts(scene: Scene, case: Case, near: str) -> Iterator[Text]:
    """What machines say that the job runs on or has to do with, at that time."""
    for piece in scene.of_kind("log", "event", "alert"):
        of_a_job = word(piece.facts, "job")
        if of_a_job:
            continue
        host = host_of(piece).casefold()
        here = bool(host) and host in near
        if here or _speaks_of(piece, case):
            factor = MACHINE * when(piece, case.began, case.until)
            yield replace(text_of(piece, channel_of(piece), factor=factor), own=False)


def _speaks_of(piece: Evidence, case: Case) -> bool:
    said = piece.text.casefold()
    return any(name and name.casefold() in said for name in (case.name, case.workstation))


def _of_the_root(scene: Scene, case: Case) -> Iterator[Sign]:
    """Why the job that this one waits for failed or is late: the cause of the cause."""
    other = _root(scene, case)
    if other is not None:
        for sign in _signs(scene, other, depth=1):
            yield replace(sign, weight=sign.weight * OF_THE_ROOT, object=sign.object or other.name, of=other.name)


def _root(scene: Scene, case: Case) -> Case | None:
    first = waiting.root(scene, case)
    if first is None or short(name := word(first.facts, "other") or first.subject) == short(case.name):
        return None
    return scene.case(name)


def _cancelled(case: Case) -> Sign:
    return Sign(cause="cancelled", object=case.name, weight=0.9, evidence=case.ids, channel="structure", certain=False)


def _after_a_failure(scene: Scene, case: Case) -> Iterator[Sign]:
    """A job that ran although one before it had failed may have failed for that."""
    for piece in waiting.predecessors(scene, case):
        if waiting.status(piece) in ("ABEND", "ERROR", "FAIL", "STUCK"):
            name = word(piece.facts, "other") or piece.subject
            ids = (piece.id, *case.ids)
            yield Sign(cause="upstream_failed", object=name, weight=BESIDES, evidence=ids, channel="structure")


def _not_planned(scene: Scene, case: Case) -> Iterator[Sign]:
    """A job that the plan doesn't have although it was expected: calendars and definitions that were changed."""
    if case.state != "absent":
        return
    for piece in scene.of_kind("change"):
        if surroundings.brings_about(piece, "scheduling"):
            about = word(piece.facts, "object") or piece.subject
            ids = (piece.id, *(note.id for note in scene.of_kind("note") if short(note.subject) == short(case.name)))
            yield Sign(cause="scheduling", object=about, weight=NOT_PLANNED, evidence=ids, channel="change")


def _changes(scene: Scene, case: Case, near: str, found: list[Sign], errors: str) -> Iterator[Sign]:
    before = _root(scene, case) if case.state == "waiting" else None
    failed = before if before and before.state == "failed" else case
    since = surroundings.first_failure(scene, failed)
    causes = likely(found, least=LIKELY)
    if case.state != "done":
        yield from surroundings.own_change(case, since)
        # A job's own name stands in its log whatever happens.
        errors = re.sub(rf"(?<![\w-]){re.escape(case.name.casefold())}(?![\w-])", "", errors)
        yield from surroundings.changes(scene, since, near, causes, errors=errors)
        of = "" if failed is case else failed.name
        yield from (replace(sign, of=of) for sign in producers.signs(scene, case, since, causes))


def _codes(case: Case, own: list[Evidence]) -> frozenset[str]:
    pieces = [*own, *([case.piece] if case.piece else [])]
    return frozenset(code for piece in pieces for code in piece.codes)
