"""Series as evidence: what it is, what it usually is, how much that differs, and since when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from fanfold.troubleshoot.evidence import Evidence, Fact
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.sources.metrics.client import Samples
from fanfold.troubleshoot.sources.metrics.judge import STRONGEST, Verdict
from fanfold.troubleshoot.sources.metrics.query import Query
from fanfold.troubleshoot.sources.metrics.settings import MetricsSettings

SHOWN_QUERY_CHARS = 1_000
MOST_NAMES = 8
_ALERT_OWN = frozenset({"__name__", "alertname", "alertstate", "severity"})
_UNITS = (("_bytes", "B"), ("_seconds", "s"), ("_ratio", ""), ("_percent", "%"))
_FULL = (("_percent", 100.0), ("_ratio", 1.0))
_SCALES = ((1024**4, "TiB"), (1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"))


@dataclass(frozen=True, slots=True)
class Series:
    """A series that is not as usual.

    Attributes:
        title: of the query that found it.
        promql: as it was sent.
    """

    title: str
    promql: str
    query: Query
    labels: Mapping[str, str]
    verdict: Verdict

    @property
    def name(self) -> str:
        """The metric's name, where the query kept it, else the query's."""
        return self.labels.get("__name__") or self.title

    @property
    def subject(self) -> str:
        """How Prometheus writes it."""
        shown = [f'{name}="{value}"' for name, value in self.labels.items() if name != "__name__"]
        return f"{self.name}{{{','.join(shown)}}}" if shown else self.name


class Teller:
    """Writes evidence about one incident."""

    def __init__(self, settings: MetricsSettings, incident: Incident) -> None:
        self._settings = settings
        stations = [settings.workstations.get(job, "") for job in incident.jobs]
        words = (*incident.jobs, *stations, incident.instance or "")
        self._about = frozenset(word.casefold() for word in words if word)

    def unusual(self, series: Sequence[Series], alerts: Sequence[Evidence]) -> list[Evidence]:
        """What is not as usual: what is about the incident's jobs first, then what is wrong, then the strongest."""
        ranked = sorted(series, key=self._rank)
        pieces = [self._piece(one) for one in ranked[: self._settings.max_evidence]]
        related = sum(1 for one in ranked if self._is_related(one.labels))
        return [*pieces[:related], *alerts, *pieces[related:]]

    def notes(self, usual: int, unusual: int, queries: int, failed: Mapping[str, str]) -> Iterator[Evidence]:
        """What is as usual, what there was no room for, and which queries have no answer."""
        more = unusual - self._settings.max_evidence
        if more > 0:
            yield self._note(f"{more} more series are not as usual", {"more": more})
        if usual:
            yield self._note(f"{usual} series as usual", {"usual": usual, "queries": queries})
        elif not unusual and len(failed) < queries:
            yield self._note(f"{self._settings.url} has no series for any of {queries} queries", {"usual": 0})
        by_reason: dict[str, list[str]] = {}
        for title, reason in failed.items():
            by_reason.setdefault(reason, []).append(title)
        for reason, titles in by_reason.items():
            more_text = f" and {len(titles) - MOST_NAMES} more" if len(titles) > MOST_NAMES else ""
            yield self._note(f"no answer to {', '.join(titles[:MOST_NAMES])}{more_text}: {reason}", {"failed": titles})

    def alerts(self, firing: Sequence[Samples], since: Sequence[Samples]) -> list[Evidence]:
        """Alerts that fire; those about the incident's jobs first."""
        began = {_alert_key(one.labels): one.points[-1][1] for one in since if one.points}
        told = [self._alert(one.labels, began.get(_alert_key(one.labels))) for one in firing]
        return sorted(told, key=lambda piece: not self._is_related({"": piece.subject}))

    def _alert(self, labels: Mapping[str, str], since_s: float | None) -> Evidence:
        name, severity = labels.get("alertname", "an alert"), labels.get("severity", "")
        about = ", ".join(f"{key}={value}" for key, value in labels.items() if key not in _ALERT_OWN)
        since = _time(since_s)
        grade = f" ({severity})" if severity else ""
        when = f" since {_shown(since)}" if since else ""
        facts: dict[str, Fact] = {"name": name, "object": about, "severity": severity, "state": "firing"}
        return Evidence(
            source=self._settings.name,
            kind="alert",
            subject=about or name,
            text=f"Alert {name}{grade} fires{when}{f': {about}' if about else ''}",
            facts={**facts, "since": since.isoformat() if since else None},
            at=since,
            reference=f"{self._settings.url}/alerts",
        )

    def _piece(self, series: Series) -> Evidence:
        verdict = series.verdict
        first, last = _time(verdict.since_s), _time(verdict.last_s)
        facts: dict[str, Fact] = {
            "name": series.name,
            "query": series.promql[:SHOWN_QUERY_CHARS],
            "labels": [f"{name}={value}" for name, value in series.labels.items() if name != "__name__"],
            "value": verdict.value,
            "before": verdict.before,
            "ratio": _ratio(verdict),
            "unit": unit_of(series),
            "first": first.isoformat() if first else None,
            "last": last.isoformat() if last else None,
            "anomaly": verdict.anomaly,
        }
        return Evidence(
            source=self._settings.name,
            kind="metric",
            subject=series.subject,
            text=_sentence(series),
            facts=facts,
            at=first,
            reference=f"{self._settings.url}/graph?g0.expr={quote(series.promql[:SHOWN_QUERY_CHARS])}&g0.tab=0",
            score=round(verdict.strength / STRONGEST, 2),
        )

    def _note(self, text: str, facts: Mapping[str, Fact]) -> Evidence:
        return Evidence(source=self._settings.name, kind="note", subject="metrics", text=text, facts=facts)

    def _rank(self, series: Series) -> tuple[bool, bool, float]:
        return not self._is_related(series.labels), not series.verdict.wrong, -series.verdict.strength

    def _is_related(self, labels: Mapping[str, str]) -> bool:
        return any(word in value.casefold() for value in labels.values() for word in self._about)


def name_of(series: Samples, title: str) -> str:
    """What a series is called: the metric's name, else the query's."""
    return series.labels.get("__name__") or title


def full_of(series: Samples, title: str) -> float | None:
    """What its values can't exceed, where its name says so."""
    name = name_of(series, title)
    return next((full for ending, full in _FULL if name.endswith(ending)), None)


def unit_of(series: Series) -> str:
    """What its values count."""
    if series.query.unit:
        return series.query.unit
    return next((unit for ending, unit in _UNITS if series.name.endswith(ending)), "")


def _sentence(series: Series) -> str:
    verdict, unit = series.verdict, unit_of(series)
    usual = "" if verdict.before is None else amount(verdict.before, unit)
    since, last = _time(verdict.since_s), _time(verdict.last_s)
    if verdict.value is None:
        return f"{series.subject} is gone since {_shown(since)}; it was {usual} before"
    value = amount(verdict.value, unit)
    if since is None:
        bound = "low" if verdict.anomaly == "down" else "high"
        return f"{series.subject} is {value}, too {bound}, as it was in the window before"
    if verdict.before is None:
        return f"{series.subject} has appeared at {_shown(since)}, and is {value}"
    verb = "rose" if verdict.anomaly == "up" else "fell"
    ratio = _ratio(verdict)
    times = f", {ratio:g} times that" if ratio is not None and ratio > 0 else ""
    return f"{series.subject} {verb} to {value}, usually {usual}{times}, from {_shown(since)} to {_shown(last)}"


def amount(value: float, unit: str) -> str:
    """A value for people."""
    if unit == "B":
        for scale, name in _SCALES:
            if abs(value) >= scale:
                return f"{value / scale:.3g} {name}"
    number = f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.4g}"
    return f"{number} {unit}" if unit and not unit.startswith("/") else f"{number}{unit}"


def _ratio(verdict: Verdict) -> float | None:
    if verdict.value is None or not verdict.before:
        return None
    return float(f"{verdict.value / verdict.before:.3g}")


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _shown(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M:%S}Z"


def _alert_key(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value) for name, value in labels.items() if name not in ("__name__", "alertstate")))
