"""Incidents with a known cause, to try a troubleshooter on: what each system would say, and what is right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

from fanfold.errors import FanfoldError

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

    kind: Literal["change", "event", "alert", "topology", "note", "log", "metric"]
    subject: str
    text: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a right answer is.

    Attributes:
        status: "cause", "healthy", "unknown" or "abstained".
        cause: its class, a table of `troubleshoot/rules/causes.toml`; "" where there is none. Several are right
            where `causes` has more of them (several causes at once: all must be among the first three).
        objects: what the cause is about, any one of these spellings.
        cite: what must be cited: for each entry some evidence whose source, kind or text contains all its words.
        blast: jobs that must be named as held up.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _CONFIG

    status: Literal["cause", "healthy", "unknown", "abstained"] = "cause"
    cause: str = ""
    causes: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    cite: tuple[str, ...] = ()
    blast: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One incident.

    Attributes:
        message: what the operator asks, in English or Portuguese.
        now: when it is asked.
        plan: what the scheduler has: a plan of `fanfold.testing.scheduler`, as JSON.
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
            scenario = adapter.validate_json(path.read_bytes())
        except ValidationError as error:
            raise ScenarioError(f"{path.name} is no scenario: {error}", hint="see fanfold.testing.scenarios") from None
        if scenario.name in found:
            raise ScenarioError(f"two scenarios are called {scenario.name!r}", hint=f"rename the one in {path.name}")
        found[scenario.name] = scenario
    return tuple(found.values())
