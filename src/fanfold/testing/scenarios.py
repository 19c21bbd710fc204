"""Incidents with a known cause, to try a troubleshooter on: what each system would say, and what is right."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from fanfold.errors import FanfoldError
from fanfold.testing.scheduler.plan import Plan
from fanfold.troubleshoot.evidence import Kind

if TYPE_CHECKING:
    from fanfold.troubleshoot.answer import Answer, Hypothesis
    from fanfold.troubleshoot.evidence import Evidence

_CONFIG: dict[str, object] = {"extra": "forbid"}


class ScenarioError(FanfoldError):
    """A file holds no scenario."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line that a job or a machine wrote to the log.

    Attributes:
        level: DEBUG, INFO, WARNING, ERROR or FATAL.
        times: how often it came, a second apart.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _CONFIG

    at: datetime
    message: str
    job: str = ""
    host: str = ""
    level: str = "INFO"
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A metric as Prometheus has it: one value usually, another one around the incident.

    Attributes:
        usual: its value before.
        value: its value from `since` on; None = it is gone then.
        since, until: when it was another; until None = to the end.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _CONFIG

    name: str
    usual: float
    value: float | None
    since: datetime
    until: datetime | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Evidence from somewhere else: an alert, an event, a change, a dependency of services.

    Attributes:
        kind, subject, text, facts, at: as of `troubleshoot.evidence.Evidence`.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _CONFIG

    kind: Kind
    subject: str
    text: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a right answer is.

    Attributes:
        status: "cause", "healthy", "unknown" or "abstained".
        cause: its class, a table of `troubleshoot/rules/causes.toml`; "" where there is none, or several.
        accepted: classes that are as right as `cause`, where one incident can honestly be put under more than one.
        causes: several causes at once: all of them must be among the first three, in any order. `cause` is "" then.
        objects: what the cause is about, any one of these spellings; with `causes`, one for each of them.
        cite: what must be cited: for each entry one piece of evidence that has all its words. The name of a kind
            (`joblog`) says of which kind it is; other words stand in its source, subject, text, codes or facts.
            A word may be a choice: `joblog|log S0C7`.
        blast: jobs that must be named as held up.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _CONFIG

    status: Literal["cause", "healthy", "unknown", "abstained"] = "cause"
    cause: str = ""
    accepted: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    cite: tuple[str, ...] = ()
    blast: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """Every class that is right."""
        return tuple(filter(None, (self.cause, *self.accepted, *self.causes)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One incident.

    Attributes:
        message: what the operator asks, in English or Portuguese.
        now: when it is asked.
        plan: what the scheduler has: a plan of `fanfold.testing.scheduler`, as JSON. Its clock is at `now`. A job
            log may be a list of lines.
        lines: what is in the logs.
        series: what Prometheus has.
        pieces: evidence from elsewhere.
        down: sources that don't answer: "tws_status", "log_cache", "metrics", "rag_search".
        about: why this is a good test, for people.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _CONFIG

    name: str
    message: str
    now: datetime
    expected: Expected
    plan: Mapping[str, Any] = field(default_factory=dict)
    lines: tuple[Line, ...] = ()
    series: tuple[Series, ...] = ()
    pieces: tuple[Piece, ...] = ()
    down: tuple[str, ...] = ()
    about: str = ""

    def scheduled(self) -> Plan:
        """The plan that the scheduler serves.

        Raises:
            PlanError: it can't be.
        """
        return Plan.from_data({"now": self.now, **self.plan})


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an answer got right; what wasn't asked for is right.

    Attributes:
        status: whether it said that there is a cause, and there is; and so on.
        cause: whether the first hypothesis has the right class; with several causes, whether the first three have all.
        object: whether those hypotheses name the right objects as well.
        cited: whether all that had to be cited is.
        blast: whether all jobs that are held up are named.
    """

    status: bool
    cause: bool
    object: bool
    cited: bool
    blast: bool

    @property
    def right(self) -> bool:
        """Right at rank 1: status, class and object."""
        return self.status and self.cause and self.object


def judge(answer: Answer, expected: Expected) -> Verdict:
    """Compare an answer with what is right."""
    right = _right(answer.hypotheses, expected)
    wanted = len(expected.causes) or (1 if expected.cause else 0)
    named = [one for one in right if _names(one.object, expected.objects)]
    claims = (*answer.blast_radius, *answer.next_steps)
    ids = {id_ for ids in (*(one.evidence for one in right), *(one.evidence for one in claims)) for id_ in ids}
    cited = [piece for piece in answer.evidence if piece.id in ids]
    held_up = "\n".join(claim.text for claim in answer.blast_radius)
    return Verdict(
        status=answer.status == expected.status,
        cause=len({one.cause for one in right}) >= wanted,
        object=len({one.cause for one in named}) >= wanted,
        cited=all(any(has_words(piece, entry) for piece in cited) for entry in expected.cite),
        blast=all(_names(held_up, (job,)) for job in expected.blast),
    )


def has_words(piece: Evidence, entry: str) -> bool:
    """Whether evidence has every word of an entry of `Expected.cite`, in capitals or not."""
    facts = (str(fact) for fact in piece.facts.values() if fact is not None)
    text = "\n".join((piece.source, piece.subject, piece.text, *piece.codes, *facts)).casefold()
    return all(any(_has(piece.kind, text, choice) for choice in word.split("|")) for word in entry.casefold().split())


def _has(kind: str, text: str, choice: str) -> bool:
    return choice == kind if choice in get_args(Kind) else choice in text


def _right(hypotheses: tuple[Hypothesis, ...], expected: Expected) -> list[Hypothesis]:
    ranked = hypotheses[:3] if expected.causes else hypotheses[:1]
    return [one for one in ranked if one.cause in expected.classes]


def _names(text: str, spellings: Iterable[str]) -> bool:
    choices = [re.escape(one) for one in spellings]
    return not choices or re.search(rf"(?<!\w)(?:{'|'.join(choices)})(?!\w)", text, re.IGNORECASE) is not None


def load_scenarios(folder: Path) -> tuple[Scenario, ...]:
    """All scenarios of a folder, one in each JSON file, by their names.

    Raises:
        ScenarioError: a file holds none, or two have the same name.
    """
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 imported when used

    adapter = TypeAdapter(Scenario)
    found: dict[str, Scenario] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            scenario = adapter.validate_python(_joined(json.loads(path.read_bytes())))
        except (ValidationError, ValueError) as error:
            raise ScenarioError(f"{path.name} is no scenario: {error}", hint="see fanfold.testing.scenarios") from None
        if scenario.name in found:
            raise ScenarioError(f"two scenarios are called {scenario.name!r}", hint=f"rename the one in {path.name}")
        found[scenario.name] = scenario
    return tuple(found.values())


def _joined(data: Any) -> Any:
    """The same with the lines of each job log put together."""
    if isinstance(data, list):
        return [_joined(one) for one in data]
    if not isinstance(data, dict):
        return data
    return {
        key: "\n".join(value) if key == "log" and isinstance(value, list) else _joined(value)
        for key, value in data.items()
    }
