"""From evidence to an answer, by rules alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from fanfold.troubleshoot.answer import Answer, Claim, Hypothesis, Status
from fanfold.troubleshoot.ask import title
from fanfold.troubleshoot.evidence import Answered
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.rules import jobs, producers, services, surroundings, waiting
from fanfold.troubleshoot.rules.facts import number, word, words
from fanfold.troubleshoot.rules.producers import Producer
from fanfold.troubleshoot.rules.scene import Case, Scene, overrun, short, state_of
from fanfold.troubleshoot.rules.weigh import LEAST, Candidate, merged
from fanfold.troubleshoot.rules.wording import cause_list, cause_text, causes, say

MOST_HYPOTHESES = 6
MOST_CLAIMS = 12
HEADLINE_IDS = 4
CLAIM_IDS = 3


def conclude(incident: Incident, sources: Sequence[Answered], *, min_sources: int = 1) -> Answer:
    """What the evidence comes to: causes, ranked, each with the ids of what speaks for it.

    Args:
        sources: all that were asked, with their evidence numbered; those that failed as well.
        min_sources: with fewer that answered, nothing is concluded.
    """
    scene = Scene.of(incident, sources)
    answered = sum(1 for one in scene.sources if one.success)
    if answered < min_sources:
        summary = say(incident.language, "abstained", count=answered, least=min_sources)
        return _answer(scene, "abstained", " ".join((summary, *_failed(scene))), missing=tuple(_failed(scene)))
    cases = scene.asked()
    found = _causes(scene, cases)
    if found:
        return _with_causes(scene, cases, found)
    if _all_well(scene, cases):
        missing = (*_failed(scene), *_not_there(scene, cases))
        return _answer(scene, "healthy", _why_well(scene, cases), missing=missing)
    missing = (*_failed(scene), *_not_known(scene, cases))
    return _answer(scene, "unknown", _why_unknown(scene, cases), missing=missing, blast=tuple(_blast(scene, cases)))


def _causes(scene: Scene, cases: Sequence[Case]) -> list[Candidate]:
    """All causes that enough speaks for."""
    told = [case for case in cases if case.state != "absent"]
    groups = [jobs.explained(scene, case) for case in cases if not jobs.is_well(scene, case)]
    if not told:
        groups += services.explained(scene)
    groups = [[one for one in group if one.score >= LEAST and one.cause in causes()] for group in groups]
    found = merged([group for group in groups if group])
    names = {short(case.name) for case in cases}
    own = {name for one in found for name in map(short, one.jobs) if not one.cause.startswith("upstream_")}
    # A job that is asked about as well has a cause of its own, which says more than that it failed.
    return [
        one
        for one in found
        if not (one.cause == "upstream_failed" and short(one.object) in names and short(one.object) in own)
    ]


def _with_causes(scene: Scene, cases: Sequence[Case], found: list[Candidate]) -> Answer:
    shown = found[:MOST_HYPOTHESES]
    hypotheses = tuple(_hypothesis(scene, one) for one in shown)
    firsts = _firsts(shown, cases)
    told = ((_headline(scene, one), *_waiting_for(scene, one), *_producers(scene, one)) for one in firsts)
    summary = " ".join(sentence for sentences in told for sentence in sentences)
    well = [case for case in cases if jobs.is_well(scene, case)]
    return _answer(
        scene,
        "cause",
        " ".join((summary, *_well(scene, well))),
        hypotheses=hypotheses,
        blast=tuple(_blast(scene, cases, [one.object.partition(" (")[0] for one in firsts])),
        steps=tuple(_steps(scene, firsts)),
        prevention=tuple(_claims(scene, firsts, "prevention")),
        missing=(*_failed(scene), *_not_there(scene, cases)),
    )


def _headline(scene: Scene, one: Candidate) -> str:
    """A cause in one sentence that says whose it is, and says so once."""
    language = scene.incident.language
    whose = _job(one) or one.object or say(language, "job")
    text = cause_text(language, one.cause, about=one.object, job=_job(one))
    if whose in text:
        name, text = "cause", text if text.startswith((whose, one.object or whose)) else text[0].upper() + text[1:]
    else:
        name = "cause_of"
    return say(language, name, jobs=whose, text=text, score=one.score, ids=", ".join(one.evidence[:HEADLINE_IDS]))


def _waiting_for(scene: Scene, one: Candidate) -> Iterator[str]:
    """The jobs that it befell only in that they wait for another one."""
    for case in (scene.case(name) for name in one.jobs if name not in one.met_by):
        if (first := waiting.root(scene, case)) is not None:
            other = ", ".join(one.met_by)
            yield say(scene.incident.language, "waits", job=case.name, other=other, ids=first.id)


def _producers(scene: Scene, one: Candidate) -> Iterator[str]:
    """What writes the input of a job that can't read it, and was changed before."""
    for producer, hours in _changed_before(scene, one):
        ids = producer.piece.id
        yield say(scene.incident.language, "changed", other=producer.name, job=_job(one), hours=hours, ids=ids)


def _changed_before(scene: Scene, one: Candidate) -> Iterator[tuple[Producer, str]]:
    """Each producer that was changed, and how many hours before the first failure."""
    if one.cause not in producers.OF_THE_INPUT or not one.met_by:
        return
    since = min(surroundings.first_failure(scene, scene.case(name)) for name in one.met_by)
    latest = [found[0] for name in one.jobs if (found := producers.changed(scene, scene.case(name), since))]
    for producer in {producer.name: producer for producer in latest}.values():
        yield producer, f"{(since - producer.at).total_seconds() / 3600:.1f}"


def _firsts(found: Sequence[Candidate], cases: Sequence[Case]) -> list[Candidate]:
    """The first cause, and that of each further job."""
    firsts, explained = [found[0]], set(found[0].jobs)
    for one in found[1:]:
        if set(one.jobs) - explained:
            firsts.append(one)
            explained |= set(one.jobs)
    return firsts[: max(1, len(cases))]


def _hypothesis(scene: Scene, one: Candidate) -> Hypothesis:
    text = cause_text(scene.incident.language, one.cause, about=one.object, job=_job(one))
    return Hypothesis(
        cause=one.cause,
        object=one.object,
        text=text,
        confidence=round(one.score, 2),
        evidence=one.evidence,
        against=one.against,
    )


def _job(one: Candidate) -> str:
    return ", ".join(one.met_by)


def _steps(scene: Scene, firsts: Iterable[Candidate]) -> Iterator[Claim]:
    """What to do: that of the causes, then that of runbooks about them."""
    firsts = tuple(firsts)
    language = scene.incident.language
    for one in firsts:
        for producer, hours in _changed_before(scene, one):
            text = say(language, "compare", other=producer.name, job=_job(one), hours=hours)
            yield Claim(text=text, evidence=(producer.piece.id, *one.evidence[:1]))
    yield from _claims(scene, firsts, "steps")
    wanted = {one.cause for one in firsts}
    for piece in scene.of_kind("runbook"):
        cause = word(piece.facts, "cause")
        if cause in wanted or (not cause and piece.facts.get("exact") is True):
            heading = word(piece.facts, "title") or piece.subject
            for step in words(piece.facts, "steps")[:3]:
                yield Claim(text=say(language, "step", title=heading, step=step), evidence=(piece.id,))


def _claims(scene: Scene, firsts: Iterable[Candidate], what: str) -> Iterator[Claim]:
    for one in firsts:
        for text in cause_list(scene.incident.language, one.cause, what, about=one.object, job=_job(one)):
            yield Claim(text=text, evidence=one.evidence[:CLAIM_IDS])


def _blast(scene: Scene, cases: Sequence[Case], roots: Sequence[str] = ()) -> Iterator[Claim]:
    """What is held up: whatever comes after the jobs that are in trouble."""
    language = scene.incident.language
    for case in cases:
        if jobs.is_well(scene, case):
            continue
        for piece in waiting.successors(scene, case):
            status = waiting.status(piece)
            name = "runs_after" if status in ("SUCC", "EXEC", "CANCL") else "holds"
            other = word(piece.facts, "what") or word(piece.facts, "other") or piece.subject
            yield Claim(text=say(language, name, other=other, job=case.name, status=status), evidence=(piece.id,))
    for caller, called, piece in services.held_up(scene, roots):
        yield Claim(text=say(language, "calls", other=caller, job=called), evidence=(piece.id,))


def _all_well(scene: Scene, cases: Sequence[Case]) -> bool:
    """Whether everything that is asked about is well, and evidence says so."""
    told = [case for case in cases if case.state != "absent"]
    if told:
        return all(jobs.is_well(scene, case) or _waits_in_time(scene, case) for case in told)
    if cases or any(services.is_trouble(scene, piece) for piece in scene.pieces):
        return False
    plans = list(scene.of_kind("plan"))
    if any((number(piece.facts, "count") or 0) > 0 for piece in plans):
        return False
    return bool(plans) or any(True for _ in scene.of_kind("alert", "event", "metric", "log"))


def _waits_in_time(scene: Scene, case: Case) -> bool:
    """Whether a job waits for one that runs within its usual time."""
    first = waiting.root(scene, case) if case.state == "waiting" else None
    if first is None or waiting.status(first) != "EXEC":
        return False
    told = scene.job(word(first.facts, "other") or first.subject)
    return told is not None and (number(told.facts, "estimated_s") or 0) > 0


def _why_well(scene: Scene, cases: Sequence[Case]) -> str:
    return " ".join(_well(scene, cases)) or say(scene.incident.language, "healthy")


def _well(scene: Scene, cases: Sequence[Case]) -> Iterator[str]:
    language = scene.incident.language
    for case in cases:
        why = {"done": "ended", "running": "running"}.get(case.state, "waiting")
        failed = [piece.id for piece in scene.about(case.name, "run") if state_of(piece) == "failed"]
        said = say(language, "failed_before" if failed and case.state == "done" else why)
        yield say(language, "well", job=case.name, why=said, ids=", ".join((*case.ids, *failed[:1])))


def _why_unknown(scene: Scene, cases: Sequence[Case]) -> str:
    language = scene.incident.language
    absent = [say(language, "absent", job=case.name) for case in cases if case.state == "absent"]
    long = [
        say(language, "overrun", job=case.name, times=f"{times:.1f}", ids=", ".join(case.ids))
        for case in cases
        if case.state == "running" and case.piece and (times := overrun(case.piece, scene.now)) is not None
    ]
    return " ".join((*absent, *long, say(language, "unknown")))


def _not_there(scene: Scene, cases: Sequence[Case]) -> Iterator[str]:
    """The jobs that were asked about beside others, and that nobody knows."""
    told = {short(case.name) for case in cases}
    for name in dict.fromkeys(map(short, scene.incident.jobs)):
        if name not in told:
            yield say(scene.incident.language, "no_job", job=name)


def _failed(scene: Scene) -> Iterator[str]:
    for one in scene.sources:
        if not one.success:
            yield say(scene.incident.language, "source", source=title(one.source), error=one.error)


def _not_known(scene: Scene, cases: Sequence[Case]) -> Iterator[str]:
    """What would have to be known to say more."""
    language = scene.incident.language
    for case in cases:
        if case.state == "absent":
            yield say(language, "no_job", job=case.name)
            continue
        if case.state == "unknown":
            yield say(language, "no_state", job=case.name)
        if not any(True for _ in scene.about(case.name, "joblog")):
            yield say(language, "no_log", job=case.name)
        if not any(True for _ in scene.about(case.name, "log")):
            yield say(language, "no_lines", job=case.name)
    if not cases:
        yield say(language, "nothing")
    for piece in scene.of_kind("note"):
        if piece.text.startswith("Could not be had"):
            yield piece.text.split("\n", 1)[0][:200]


def _answer(
    scene: Scene,
    status: Status,
    summary: str,
    *,
    hypotheses: tuple[Hypothesis, ...] = (),
    blast: tuple[Claim, ...] = (),
    steps: tuple[Claim, ...] = (),
    prevention: tuple[Claim, ...] = (),
    missing: tuple[str, ...] = (),
) -> Answer:
    return Answer(
        incident=scene.incident,
        status=status,
        summary=summary,
        hypotheses=hypotheses,
        blast_radius=blast,
        next_steps=steps[:MOST_CLAIMS],
        prevention=prevention[:MOST_CLAIMS],
        evidence=scene.pieces,
        sources=scene.sources,
        missing=tuple(dict.fromkeys(missing)),
    )
