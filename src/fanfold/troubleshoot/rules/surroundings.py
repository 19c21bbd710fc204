"""What stands around a job: its workstation, metrics, changes, knowledge."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.rules.facts import first_time, last_time, number, time, word, words, zoned
from fanfold.troubleshoot.rules.scene import Case, Scene, short
from fanfold.troubleshoot.rules.sign import Sign
from fanfold.troubleshoot.rules.signatures import FOLDER

DOWN = 0.85
DOWN_BUT_RAN = 0.3
IS_UP = 0.4
NO_LIMIT = 0.85
FENCED = 0.8
RUN_OUT = 0.15
LONG_BEFORE = 0.2
ELSEWHERE = 0.3
CALLED = 0.45
SLACK = timedelta(minutes=10)
CHANGED = 0.62
AFTERWARDS = 0.05
DEFINITION = 0.65
NAMED_BY_ERROR = 1.35
MENTIONED = 0.85
NEW_SINCE = 0.5
RATHER_CHANGED = 0.25
# Causes that lie in what the program itself does, so that a change of it explains them.
OF_THE_PROGRAM = frozenset({"application_error", "probe_failing"})
_NAME = re.compile(r"[A-Za-z][\w#$@.-]*[\w#$@]")
_LEAST_NAME = 4
_LEAST_OBJECT = 2
MOST_NAMES = 20
# What an address has around the name of the machine.
_ADDRESS = re.compile(r"^\w+://|:\d+(?:/.*)?$")


@dataclass(frozen=True, slots=True)
class Figure:
    """What a metric may mean.

    Attributes:
        labels: those that name its object, the best first.
        called: it is of a system that jobs call: seldom the machine that they run on.
    """

    cause: str
    pattern: re.Pattern[str]
    anomaly: frozenset[str]
    labels: tuple[str, ...]
    weight: float
    called: bool


@functools.cache
def figures() -> tuple[Figure, ...]:
    """The table of metrics."""
    read = tomllib.loads((FOLDER / "figures.toml").read_text("utf-8"))["figure"]
    return tuple(
        Figure(
            entry["cause"],
            re.compile(entry["pattern"], re.IGNORECASE),
            frozenset(entry["anomaly"]),
            tuple(entry["labels"]),
            float(entry["weight"]),
            bool(entry.get("called", False)),
        )
        for entry in read
    )


@functools.cache
def affinities() -> dict[str, tuple[str, ...]]:
    """Words of changes that may bring a cause about."""
    read = tomllib.loads((FOLDER / "changes.toml").read_text("utf-8"))
    return {cause: tuple(found) for cause, found in read.items()}


def workstation(scene: Scene, case: Case, *, is_explained: bool) -> Iterator[Sign]:
    """What is wrong with the workstation of a job; where it is well, that speaks against it being down.

    Args:
        is_explained: whether the job itself says why it failed; then it ran, and what is down now may be so since.
    """
    for piece in scene.of_kind("workstation"):
        if piece.subject.casefold() != case.workstation.casefold():
            continue
        facts = piece.facts
        ids = (piece.id, *case.ids)
        down = any(facts.get(name) is False for name in ("linked", "running", "healthy"))
        down = down or word(facts, "status").upper() in ("DOWN", "UNLINKED", "OFFLINE")
        if down:
            weight = DOWN_BUT_RAN if case.state == "failed" and is_explained else DOWN
            yield _of("agent_down", piece.subject, weight, ids)
            continue
        if facts.get("linked") is True and facts.get("running") is True:
            yield replace(_of("agent_down", piece.subject, IS_UP, (piece.id,)), against=True)
        if number(facts, "limit") == 0 and case.state == "waiting":
            yield _of("scheduler_limit", piece.subject, NO_LIMIT, ids)
        elif (number(facts, "fence") or 0) > 0 and _is_fenced(case):
            yield _of("scheduler_limit", piece.subject, FENCED, ids)


def _of(cause: str, about: str, weight: float, ids: tuple[str, ...]) -> Sign:
    return Sign(cause=cause, object=about, weight=weight, evidence=ids, channel="workstation")


def _is_fenced(case: Case) -> bool:
    said = f"{case.piece.text} {case.substatus}".upper() if case.piece else ""
    return case.state == "waiting" and ("FENCE" in said or "READY" in said)


def metrics(scene: Scene, began: datetime, until: datetime, near: str) -> Iterator[Sign]:
    """What metrics say of the time from `began` to `until`; those of things that `near` names count in full."""
    for piece in scene.of_kind("metric"):
        anomaly = word(piece.facts, "anomaly")
        name = f"{word(piece.facts, 'name')} {piece.subject}"
        for figure in figures():
            if anomaly in figure.anomaly and figure.pattern.search(name):
                weight = _figure_weight(piece, figure, anomaly) * _in_time(piece, began, until)
                about = _about(piece, figure)
                weight *= 1.0 if not near or _is_near(piece, near) else CALLED if figure.called else ELSEWHERE
                yield Sign(cause=figure.cause, object=about, weight=weight, evidence=(piece.id,), channel="metric")
                break


def _figure_weight(piece: Evidence, figure: Figure, anomaly: str) -> float:
    none_left = number(piece.facts, "value") == 0 and anomaly == "down"
    return figure.weight + (RUN_OUT if none_left else 0.0)


def _in_time(piece: Evidence, began: datetime, until: datetime) -> float:
    first, last = first_time(piece), last_time(piece)
    if first is not None and first > until + SLACK:
        return LONG_BEFORE
    if last is not None and last < began - SLACK:
        return LONG_BEFORE
    return 1.0


def labels_of(piece: Evidence) -> dict[str, str]:
    """The labels of a series."""
    return {name: value for name, _, value in (one.partition("=") for one in words(piece.facts, "labels")) if value}


def _about(piece: Evidence, figure: Figure) -> str:
    labels = labels_of(piece)
    found = next((labels[name] for name in figure.labels if name in labels), "")
    host, found = (_ADDRESS.sub("", one) for one in (labels.get("instance", ""), found))
    if found and host and host != found:
        return f"{found} ({host})"
    return found or piece.subject


def _is_near(piece: Evidence, near: str) -> bool:
    values = (_ADDRESS.sub("", value).casefold() for value in labels_of(piece).values())
    bare = piece.subject.casefold()
    return any(len(value) > 2 and value in near for value in values) or ("{" not in bare and bare in near)


def changes(
    scene: Scene, since: datetime, near: str, causes: Mapping[str, tuple[str, ...]], *, errors: str = ""
) -> Iterator[Sign]:
    """Changes that may have brought it about: shortly before it began, and of something that it has to do with.

    Args:
        since: when it began to fail.
        near: all that is said of what failed, in small letters.
        errors: the lines that report the failure, in small letters; what they name and was changed is suspected most.
        causes: other causes that are likely, with the ids of what speaks for them; a change of the kind that brings one
            of them about supports it.
    """
    for piece in scene.of_kind("change"):
        related = relation(piece, near)
        about = word(piece.facts, "object") or piece.subject
        if len(about) >= _LEAST_NAME and _names(about, errors):
            related *= NAMED_BY_ERROR
        recent = recency(zoned(piece.at), since)
        fits = [cause for cause in causes if brings_about(piece, cause)]
        if piece.subject.casefold() not in about.casefold():
            about = f"{about} ({piece.subject})"
        if not recent:
            yield Sign(
                cause="change", object=about, weight=AFTERWARDS, evidence=(piece.id,), channel="change", against=True
            )
            continue
        yield Sign(
            cause="change", object=about, weight=CHANGED * related * recent, evidence=(piece.id,), channel="change"
        )
        for cause in fits:
            if cause in OF_THE_PROGRAM and related >= MENTIONED:
                yield from _new_since(piece, cause, about, recent, causes[cause])
                continue
            weight = 0.3 * max(related, 0.8) * recent
            yield Sign(cause=cause, object="", weight=weight, evidence=(piece.id,), channel="change", supports=True)


def _new_since(piece: Evidence, cause: str, about: str, recent: float, errors: tuple[str, ...]) -> Iterator[Sign]:
    """A program that fails since it was changed: rather the change than whatever the program says."""
    ids = (piece.id,)
    explained = (piece.id, *errors[:2])
    yield Sign(cause="change", object=about, weight=NEW_SINCE * recent, evidence=explained, channel="structure")
    yield Sign(cause=cause, object="", weight=RATHER_CHANGED * recent, evidence=ids, channel="change", against=True)


def relation(piece: Evidence, near: str) -> float:
    """How much a change has to do with what failed: it is of something that is named there, it only mentions it, or
    neither."""
    for name, strength in ((word(piece.facts, "object"), 1.0), (piece.subject, 1.0)):
        if len(name) >= _LEAST_OBJECT and _names(name, near):
            return strength
    mentioned = dict.fromkeys(name for name in _NAME.findall(piece.text) if _is_name(name))
    return MENTIONED if any(_names(name, near) for name in list(mentioned)[:MOST_NAMES]) else 0.35


def _is_name(text: str) -> bool:
    has_sign = any(letter.isdigit() or letter in "_#$@" for letter in text)
    return len(text) >= _LEAST_NAME and (has_sign or (text.isupper() and len(text) > _LEAST_NAME))


def _names(name: str, near: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(name.casefold())}(?![\w-])", near) is not None


def recency(at: datetime | None, since: datetime) -> float:
    """How much a change counts by its time: not at all after the failure, most shortly before it."""
    if at is None:
        return 0.7
    hours = (since - at).total_seconds() / 3600
    if hours < -SLACK.total_seconds() / 3600:
        return 0.0
    return 1.0 if hours <= 12 else 0.9 if hours <= 36 else 0.6 if hours <= 96 else 0.3


def brings_about(piece: Evidence, cause: str) -> bool:
    """Whether a change is of a kind that may bring a cause about."""
    said = f"{word(piece.facts, 'what')} {piece.text}".casefold()
    return any(re.search(rf"(?<!\w){re.escape(one)}", said) for one in affinities().get(cause, ()))


def own_change(case: Case, since: datetime) -> Iterator[Sign]:
    """The change of the job's own definition, where the scheduler tells when that was."""
    at = time(case.piece.facts, "changed") if case.piece else None
    if at is not None:
        weight = CHANGED * DEFINITION * recency(at, since)
        yield Sign(
            cause="change", object=case.name, weight=weight, evidence=case.ids, channel="structure", certain=False
        )


def first_failure(scene: Scene, case: Case) -> datetime:
    """When the failures of today began: the first of those in a row that the scheduler knows of."""
    runs = [piece for piece in scene.of_kind("run") if short(piece.subject) == short(case.name)]
    ended = (time(piece.facts, "last_success") for piece in _histories(scene, case))
    success = max((at for at in ended if at is not None), default=None)
    failed = [
        began
        for piece in runs
        if word(piece.facts, "status").upper() not in ("SUCC", "")
        and (began := time(piece.facts, "started"))
        and (success is None or began > success)
    ]
    return min([*failed, case.until]) if failed else case.until


def _histories(scene: Scene, case: Case) -> Iterator[Evidence]:
    return (piece for piece in scene.of_kind("history") if short(piece.subject) == short(case.name))


def runbooks(scene: Scene, codes: frozenset[str]) -> Iterator[Sign]:
    """What runbooks and past incidents say; only one that is about the very code may be a reason by itself."""
    for piece in scene.of_kind("runbook"):
        cause = word(piece.facts, "cause")
        exact = piece.facts.get("exact") is True and bool(codes & set(piece.codes))
        if cause:
            yield Sign(
                cause=cause,
                object="",
                weight=0.4 if exact else 0.12,
                evidence=(piece.id,),
                channel="runbook",
                certain=False,
                supports=not exact,
            )
