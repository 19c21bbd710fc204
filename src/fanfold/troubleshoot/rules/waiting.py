"""Why a job waits, by structure: what comes before it, what it depends on, and where it would run."""

from __future__ import annotations

from collections.abc import Iterator

from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.rules.facts import number, word
from fanfold.troubleshoot.rules.scene import FAILING, WAITING, Case, Scene, overrun, short
from fanfold.troubleshoot.rules.sign import Sign

LATE = 1.25
DONE = frozenset({"", "SATISFIED", "RELEASED", "DONE", "SUCC", "CANCL"})
UPSTREAM_FAILED = 0.9
UPSTREAM_LATE = 0.85
UPSTREAM_RUNS = 0.6
IN_TIME = 0.2
_LINKS = {
    "file": ("missing_file", 0.9),
    "resource": ("scheduler_limit", 0.88),
    "prompt": ("scheduling", 0.85),
    "time": ("scheduling", 0.7),
    "jobstream": ("upstream_late", 0.75),
}
_SUBSTATUS = {
    "AGENT": ("agent_down", 0.7),
    "WORKSTATION": ("agent_down", 0.6),
    "LIMIT": ("scheduler_limit", 0.75),
    "FENCE": ("scheduler_limit", 0.75),
    "RESOURCE": ("scheduler_limit", 0.6),
    "TIME": ("scheduling", 0.6),
    "PROMPT": ("scheduling", 0.6),
    "FILE": ("missing_file", 0.5),
}


def predecessors(scene: Scene, case: Case) -> list[Evidence]:
    """The jobs before it, as far as they can be seen."""
    return [piece for piece in _dependencies(scene, case, "predecessor") if word(piece.facts, "type") in ("", "job")]


def root(scene: Scene, case: Case) -> Evidence | None:
    """The job before it where the trouble begins: the farthest that failed, else that runs, else that waits."""
    open_ones = [piece for piece in predecessors(scene, case) if status(piece) not in DONE]
    for group in (FAILING, {"EXEC"}, WAITING):
        found = [piece for piece in open_ones if status(piece) in group]
        if found:
            return max(found, key=lambda piece: (_overrun(scene, piece), number(piece.facts, "depth") or 1.0))
    return None


def signs(scene: Scene, case: Case) -> Iterator[Sign]:
    """What holds a job that waits."""
    first = root(scene, case)
    if first is not None:
        yield from _upstream(scene, case, first)
    if first is None or status(first) in WAITING:
        yield from _by_substatus(case)
    for piece in _dependencies(scene, case, "predecessor"):
        cause, weight = _LINKS.get(word(piece.facts, "type"), ("", 0.0))
        if cause and status(piece) not in DONE:
            yield Sign(
                cause="upstream_failed" if cause == "upstream_late" and status(piece) in FAILING else cause,
                object=word(piece.facts, "other") or piece.subject,
                weight=weight,
                evidence=(piece.id, *case.ids),
                channel="structure",
            )


def _upstream(scene: Scene, case: Case, first: Evidence) -> Iterator[Sign]:
    name = word(first.facts, "other") or first.subject
    told = scene.job(name)
    ids = (first.id, *((told.id,) if told else ()), *case.ids)
    if status(first) in FAILING:
        yield Sign(cause="upstream_failed", object=name, weight=UPSTREAM_FAILED, evidence=ids, channel="structure")
    elif status(first) == "EXEC":
        times = overrun(told, scene.now) if told else None
        weight = UPSTREAM_RUNS if times is None else UPSTREAM_LATE if times >= LATE else IN_TIME
        yield Sign(cause="upstream_late", object=name, weight=weight, evidence=ids, channel="structure")
    else:
        held = word(first.facts, "substatus").upper() or status(first)
        cause, weight = _known(held) or ("upstream_late", UPSTREAM_RUNS)
        about = word(told.facts, "workstation") if told and cause in ("agent_down", "scheduler_limit") else ""
        yield Sign(cause=cause, object=about or name, weight=weight, evidence=ids, channel="structure")


def _by_substatus(case: Case) -> Iterator[Sign]:
    state = word(case.piece.facts, "status").upper() if case.piece else ""
    known = _known(case.substatus) or _known(state)
    if known:
        cause, weight = known
        on_machine = cause in ("agent_down", "scheduler_limit") and case.workstation
        yield Sign(
            cause=cause,
            object=case.workstation if on_machine else case.name,
            weight=weight,
            evidence=case.ids,
            channel="structure",
            certain=False,
        )


def _known(text: str) -> tuple[str, float] | None:
    return next((known for part, known in _SUBSTATUS.items() if part in text), None)


def status(piece: Evidence) -> str:
    """The status of what a dependency leads to."""
    return word(piece.facts, "status").upper()


def _overrun(scene: Scene, piece: Evidence) -> float:
    told = scene.job(word(piece.facts, "other") or piece.subject)
    times = overrun(told, scene.now) if told and status(piece) == "EXEC" else None
    return 0.0 if times is None or times < LATE else times


def _dependencies(scene: Scene, case: Case, relation: str) -> Iterator[Evidence]:
    for piece in scene.of_kind("dependency"):
        if word(piece.facts, "relation") == relation and short(word(piece.facts, "job")) == short(case.name):
            yield piece


def successors(scene: Scene, case: Case) -> list[Evidence]:
    """What comes after a job, the nearest first."""
    found = list(_dependencies(scene, case, "successor"))
    return sorted(found, key=lambda piece: number(piece.facts, "depth") or 1.0)
