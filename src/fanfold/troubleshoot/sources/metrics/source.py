"""The source: series around the failure, those first that are not as they were before."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from fanfold.engine import BranchError, Done, Outcome, fan_out
from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.sources.metrics.client import Prometheus, Samples, connected
from fanfold.troubleshoot.sources.metrics.judge import Limits, Span, judge, judge_further
from fanfold.troubleshoot.sources.metrics.promql import filled, placeholders_of
from fanfold.troubleshoot.sources.metrics.query import Query
from fanfold.troubleshoot.sources.metrics.settings import MetricsSettings, settings_of
from fanfold.troubleshoot.sources.metrics.tell import Series, Teller, full_of, name_of
from fanfold.troubleshoot.sources.protocol import SourceError

LOG = logging.getLogger(__name__)
POINTS = 240
WINDOWS, WINDOWS_UNLESS_KNOWN = 2, 4
FINEST_STEP_S = 1.0
AFTER_SHARE = 1 / 20
MOST_JOBS = 8
MOST_ALERTS = 10
ALERTS = "alerts that fire"
_FIRING = 'ALERTS{alertstate="firing"}'
_SINCE = "ALERTS_FOR_STATE"


@dataclass(frozen=True, slots=True)
class Ask:
    """One query, ready to be sent."""

    query: Query
    promql: str


@dataclass(frozen=True, slots=True)
class Found:
    """What one query came to.

    Attributes:
        unusual: the series that are not as before.
        usual: how many others there are.
        alerts: evidence as it is.
    """

    unusual: tuple[Series, ...] = ()
    usual: int = 0
    alerts: tuple[Evidence, ...] = ()


class Metrics:
    """Asks Prometheus what was unusual around a failure; asking only reads.

    Args:
        settings: where it is, and what is asked.
    """

    def __init__(self, settings: MetricsSettings) -> None:
        self._settings = settings
        self._prometheus: Prometheus | None = None

    @classmethod
    def make(cls, settings: Mapping[str, object], root: Path) -> Metrics:
        """The source with the settings of its table; see `MetricsSettings`.

        Raises:
            SourceError: a setting is unknown or wrong.
        """
        return cls(settings_of(settings, root))

    @property
    def name(self) -> str:
        """What reports call it."""
        return self._settings.name

    @property
    def timeout_s(self) -> float:
        """Seconds until its answer is no longer waited for."""
        return self._settings.timeout_s

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Connections to Prometheus, as long as the block; nothing is sent yet.

        Raises:
            SourceError: a secret or the file of certificates can't be read.
        """
        async with connected(self._settings) as prometheus:
            self._prometheus = prometheus
            try:
                yield
            finally:
                self._prometheus = None

    async def ask(self, incident: Incident) -> Sequence[Evidence]:
        """What was unusual before the failure, the most telling first, and how much was as usual.

        Raises:
            SourceError: no query has an answer.
        """
        if self._prometheus is None:
            raise SourceError("the source is not open", hint="ask it within its open()")
        prometheus, span, asks = self._prometheus, span_of(incident), self._asks(incident)
        teller = Teller(self._settings, incident)

        async def found(title: str) -> Found:
            if title == ALERTS:
                return Found(alerts=tuple(await _alerts(prometheus, teller, span)))
            return await self._found(prometheus, asks[title], title, span)

        titles = [*asks, ALERTS] if self._settings.alerts else list(asks)
        outcomes = await fan_out(
            found, titles, limit=self._settings.limit, total_deadline_s=0.95 * self._settings.timeout_s
        )
        return self._told(teller, outcomes)

    def _told(self, teller: Teller, outcomes: Sequence[Outcome[Found]]) -> list[Evidence]:
        found = {outcome.key: outcome.value for outcome in outcomes if isinstance(outcome, Done)}
        failed = {outcome.key: self._reason(outcome.error) for outcome in outcomes if not isinstance(outcome, Done)}
        if failed and not found:
            first = next(iter(failed.values()))
            raise SourceError(f"no query has an answer: {first.message}", hint=first.hint)
        alerts = [alert for one in found.values() for alert in one.alerts]
        series = [series for one in found.values() for series in one.unusual]
        usual = sum(one.usual for one in found.values())
        reasons = {title: error.message for title, error in failed.items()}
        return [*teller.unusual(series, alerts), *teller.notes(usual, len(series), len(outcomes), reasons)]

    def _reason(self, error: Exception) -> SourceError:
        if isinstance(error, SourceError):
            return error
        if isinstance(error, BranchError):
            return SourceError(f"no answer within {self.timeout_s:g} s", hint="give timeout_s more, or ask for less")
        LOG.warning("metrics_query_failed", exc_info=error)
        return SourceError(f"{type(error).__name__}: {error}")

    async def _found(self, prometheus: Prometheus, ask: Ask, title: str, span: Span) -> Found:
        series = await prometheus.query_range(ask.promql, start_s=span.start_s, end_s=span.end_s, step_s=span.step_s)
        return await asyncio.to_thread(self._judged, series, ask, title, span)

    def _judged(self, series: Sequence[Samples], ask: Ask, title: str, span: Span) -> Found:
        unusual: list[Series] = []
        usual = 0
        judged = judge if span.windows == WINDOWS else judge_further
        comparable = any(one.points and one.points[0][0] < span.middle_s for one in series)
        for one in series:
            below, above = ask.query.bounds(name_of(one, title))
            limits = Limits(
                sensitivity=self._settings.sensitivity,
                min_change=self._settings.min_change,
                below=below,
                above=above,
                follows_time=ask.query.follows_time,
                full=full_of(one, title),
            )
            verdict = judged(one.points, span, limits, comparable=comparable)
            if verdict is not None and verdict.anomaly != "none":
                unusual.append(Series(title, ask.promql, ask.query, one.labels, verdict))
            elif verdict is not None:
                usual += 1
        return Found(tuple(unusual), usual)

    def _asks(self, incident: Incident) -> dict[str, Ask]:
        """The queries by their titles; those about a job once for each, those about what isn't known not at all."""
        asks: dict[str, Ask] = {}
        for name, query in self._settings.asked.items():
            wanted = placeholders_of(query.promql)
            for values in self._values(incident, per_job={"job", "workstation"} & {*wanted} != set()):
                if values.keys() >= {*wanted}:
                    promql = filled(query.promql, values)
                    if all(promql != ask.promql for ask in asks.values()):
                        asks[name if name not in asks else f"{name} ({values['job']})"] = Ask(query, promql)
        return asks

    def _values(self, incident: Incident, *, per_job: bool) -> Iterator[dict[str, str]]:
        instance = {"instance": incident.instance} if incident.instance else {}
        jobs = incident.jobs[:MOST_JOBS] if per_job else ()
        for job in jobs:
            workstation = self._settings.workstations.get(job, self._settings.workstations.get("*"))
            yield {"job": job, **instance, **({"workstation": workstation} if workstation else {})}
        if not jobs:
            anywhere = self._settings.workstations.get("*")
            yield {**instance, **({"workstation": anywhere} if anywhere else {})}


def span_of(incident: Incident) -> Span:
    """The window that matters, and a little of what came after, for what a failure does is seen a scrape later."""
    window_s = incident.window_s
    windows = WINDOWS if incident.at else WINDOWS_UNLESS_KNOWN
    until_s = incident.until.timestamp()
    end_s = min(max(incident.now.timestamp(), until_s), until_s + AFTER_SHARE * window_s)
    step_s = max(FINEST_STEP_S, windows * window_s / POINTS)
    return Span(middle_s=end_s - window_s, end_s=end_s, step_s=step_s, windows=windows)


async def _alerts(prometheus: Prometheus, teller: Teller, span: Span) -> list[Evidence]:
    firing = await prometheus.query(_FIRING, at_s=span.end_s)
    since = await prometheus.query(_SINCE, at_s=span.end_s) if firing else []
    return teller.alerts(firing, since)[:MOST_ALERTS]
