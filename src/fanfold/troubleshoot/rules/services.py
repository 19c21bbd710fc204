"""What is wrong where no job is asked about: services and machines, with alerts, events, logs and their topology."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.rules import surroundings
from fanfold.troubleshoot.rules.facts import first_time, word
from fanfold.troubleshoot.rules.reading import Speaker, channel_of, is_noise, names_in, read, text_of
from fanfold.troubleshoot.rules.scene import Scene
from fanfold.troubleshoot.rules.sign import Sign, likely
from fanfold.troubleshoot.rules.weigh import LEAST, Candidate, candidates

OVER = frozenset({"RESOLVED", "OK", "INACTIVE", "NORMAL", "CLEARED", "CLOSED", "GREEN", "UP", "HEALTHY"})
ROOT = 0.72
SYMPTOM = 0.6
BEGAN_BEFORE = timedelta(hours=6)
# Deployments name their pods after themselves: NAME-HASH-HASH, or NAME-NUMBER for stateful ones.
_POD = re.compile(r"(?:-[a-f0-9]{4,10}|-(?=[a-z0-9]*\d)[a-z0-9]{3,10})?-(?=[a-z0-9]*[a-z0-9])[a-z0-9]{5}$")
_LOUD = frozenset({"ERROR", "FATAL", "CRITICAL", "SEVERE"})


def explained(scene: Scene) -> list[list[Candidate]]:
    """The causes, for each service that something is wrong with, the likeliest first."""
    services = _services(scene)
    began = _began(scene)
    edges = _edges(scene)
    troubled = {name for name, pieces in services.items() if any(is_trouble(scene, piece) for piece in pieces)}
    groups = []
    for name, pieces in services.items():
        signs = list(_signs(scene, name, pieces, began))
        signs += _root(scene, name, troubled, edges)
        signs += _changes(scene, [name], pieces, began, likely(signs, least=LEAST))
        groups.append(_without_callers(candidates(signs), name, troubled, edges))
    everything = [piece for pieces in services.values() for piece in pieces]
    groups.append(candidates(_changes(scene, list(services), everything, began, {})))
    return [group for group in groups if group]


def is_trouble(scene: Scene, piece: Evidence) -> bool:
    """Whether a piece says that something is wrong at all; machines write errors that concern nobody."""
    if piece.kind == "alert":
        return word(piece.facts, "state").upper() not in OVER
    if piece.kind == "log":
        if word(piece.facts, "level").upper() not in _LOUD or all(map(is_noise, piece.text.split("\n")[-1:])):
            return False
        return bool(word(piece.facts, "job")) or _is_asked(scene, piece)
    if piece.kind == "metric":
        return word(piece.facts, "anomaly") not in ("", "none")
    return False


def _is_asked(scene: Scene, piece: Evidence) -> bool:
    """Whether the question, or another kind of evidence, is about what a line is of."""
    name = service_of(piece.subject)
    others = scene.of_kind("alert", "event", "topology", "change")
    return name in scene.incident.message.casefold() or any(service_of(one.subject) == name for one in others)


def service_of(name: str) -> str:
    """The service that a subject belongs to: a pod belongs to what is deployed."""
    return _POD.sub("", name.strip().casefold().rpartition("/")[2]) or name.casefold()


def _services(scene: Scene) -> dict[str, list[Evidence]]:
    found: dict[str, list[Evidence]] = {}
    for piece in scene.of_kind("log", "event", "alert"):
        if piece.kind == "alert" and word(piece.facts, "state").upper() in OVER:
            continue
        name = word(piece.facts, "job") or piece.subject or word(piece.facts, "host")
        found.setdefault(service_of(name), []).append(piece)
    for piece in scene.of_kind("metric"):
        found.setdefault(service_of(_labelled(piece)), []).append(piece)
    return found


def _labelled(piece: Evidence) -> str:
    labels = surroundings.labels_of(piece)
    known = (
        labels[name] for name in ("service", "app", "deployment", "container", "pod", "instance") if name in labels
    )
    return re.sub(r":\d+$", "", next(known, piece.subject))


def _signs(scene: Scene, name: str, pieces: list[Evidence], began: datetime) -> Iterator[Sign]:
    texts = [
        replace(text_of(piece, channel_of(piece), factor=_factor(scene, piece)), own=_is_own(scene, piece))
        for piece in pieces
        if piece.kind != "metric"
    ]
    yield from read(texts, Speaker(service=name, workstation=name))
    ids = {piece.id for piece in pieces}
    for sign in surroundings.metrics(scene, began - BEGAN_BEFORE, scene.until, ""):
        if ids & set(sign.evidence):
            yield sign


def _is_own(scene: Scene, piece: Evidence) -> bool:
    return piece.kind != "log" or bool(word(piece.facts, "job")) or _is_asked(scene, piece)


def _factor(scene: Scene, piece: Evidence) -> float:
    """How much a piece counts: an alert that gives a rate tells what is seen of the trouble, not what it is."""
    symptom = piece.kind == "alert" and "%" in piece.text and not re.search(r"(?:9[5-9]|100) ?%", piece.text)
    return (SYMPTOM if symptom else 1.0) * _recent(scene, piece)


def _recent(scene: Scene, piece: Evidence) -> float:
    at = first_time(piece)
    return 0.3 if at is not None and scene.until - at > timedelta(days=2) else 1.0


def _began(scene: Scene) -> datetime:
    """When it began: the first trouble of the last hours."""
    times = [at for piece in scene.pieces if is_trouble(scene, piece) and (at := first_time(piece)) is not None]
    lately = [at for at in times if timedelta() <= scene.until - at <= timedelta(days=1)]
    return min(lately, default=scene.until)


def _edges(scene: Scene) -> dict[str, dict[str, Evidence]]:
    edges: dict[str, dict[str, Evidence]] = {}
    for piece in scene.of_kind("topology"):
        caller = service_of(word(piece.facts, "object") or piece.subject)
        called = service_of(word(piece.facts, "depends_on"))
        if called and called != caller:
            edges.setdefault(caller, {})[called] = piece
    return edges


def _root(scene: Scene, name: str, troubled: Iterable[str], edges: dict[str, dict[str, Evidence]]) -> Iterator[Sign]:
    """A service that is in trouble, is called by another one that is, and calls none that is."""
    troubled = set(troubled)
    if name not in troubled or any(called in troubled for called in edges.get(name, {})):
        return
    callers = [
        piece for caller, called in edges.items() if caller in troubled for to, piece in called.items() if to == name
    ]
    if callers:
        own = [piece.id for piece in scene.of_kind("alert", "event", "log") if service_of(piece.subject) == name]
        ids = (*own[:3], *(piece.id for piece in callers[:3]))
        yield Sign(cause="dependency_failing", object=name, weight=ROOT, evidence=ids, channel="structure")


def _without_callers(
    group: list[Candidate], name: str, troubled: Iterable[str], edges: dict[str, dict[str, Evidence]]
) -> list[Candidate]:
    """Of a service that calls one in trouble only what is not a consequence of that."""
    if not any(called in set(troubled) for called in edges.get(name, {})):
        return group
    consequences = ("dependency_failing", "network", "application_error", "probe_failing", "quota_exhausted", "change")
    return [one for one in group if one.cause not in consequences]


def _changes(
    scene: Scene, names: list[str], pieces: list[Evidence], began: datetime, causes: Mapping[str, tuple[str, ...]]
) -> Iterator[Sign]:
    """Changes just before it began, of services, or of what their errors or the question name."""
    said = "" if len(names) == 1 else scene.incident.message
    near = f"{names_in(pieces)}\n{said}\n{' '.join(names)}".casefold()
    loud = [piece for piece in pieces if piece.kind == "log" and word(piece.facts, "level").upper() != "INFO"]
    errors = names_in(loud)
    for name in names:
        errors = errors.replace(name, "")
    yield from surroundings.changes(scene, began, near, causes, errors=errors)


def held_up(scene: Scene, roots: Iterable[str]) -> list[tuple[str, str, Evidence]]:
    """What calls one of these services, directly or through others: caller, called, and where that is said."""
    edges = _edges(scene)
    level, found = {service_of(root) for root in roots}, list[tuple[str, str, Evidence]]()
    seen = set(level)
    while level:
        calls = [(caller, to, piece) for caller, called in edges.items() for to, piece in called.items() if to in level]
        found += [call for call in calls if call[0] not in seen]
        level = {caller for caller, _, _ in calls} - seen
        seen |= level
    return found
