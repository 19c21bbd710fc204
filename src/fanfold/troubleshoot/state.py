"""The state of a run: what it is asked, what the sources came to, and what was made of that."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from fanfold.troubleshoot.answer import Answer
from fanfold.troubleshoot.evidence import Answered, Evidence

if TYPE_CHECKING:
    from pydantic import TypeAdapter


class DataSourceResult(TypedDict):
    """What came of one source.

    `source` is "tws_status", "rag_search", "log_cache", "metrics", or the name of another one. `data` has what it found
    under "evidence", each piece as JSON; it is None where the source failed. `latency_ms` is how long it took.
    """

    source: str
    data: Any
    latency_ms: float
    success: bool
    error: str | None


class ParallelState(TypedDict, total=False):
    """What a run is asked and what it comes to; data alone.

    Asked: `message`, and what the caller knows already: `job_name` or several `job_names`, `tws_instance_id`,
    `intent`. From the router: `confidence`, `entities`, `sources`. From the sources: `parallel_results`, `errors`.
    The rest is made of these: `aggregated_data` by source, `answer` as JSON, `response` as text.
    """

    message: str
    job_name: str | None
    job_names: list[str]
    tws_instance_id: str | None
    asked_at: str
    at: str | None
    intent: str
    confidence: float
    entities: dict[str, Any]
    sources: list[str]
    parallel_results: Annotated[list[DataSourceResult], operator.add]
    errors: Annotated[list[str], operator.add]
    aggregated_data: dict[str, Any]
    answer: dict[str, Any]
    response: str
    parallel_latency_ms: float
    total_latency_ms: float
    metadata: dict[str, Any]


def result_of(answered: Answered) -> DataSourceResult:
    """An answered source as the state has it."""
    data = (
        {"evidence": _adapter().dump_python(answered.evidence, mode="json", warnings=False)}
        if answered.success
        else None
    )
    return {
        "source": answered.source,
        "data": data,
        "latency_ms": answered.latency_ms,
        "success": answered.success,
        "error": answered.error,
    }


def answered_of(result: DataSourceResult) -> Answered:
    """The source as it answered.

    Raises:
        pydantic.ValidationError: `data` holds something else than evidence.
    """
    given = (result["data"] or {}).get("evidence", ())
    return Answered(
        source=result["source"],
        evidence=_adapter().validate_python(given),
        latency_ms=result["latency_ms"],
        error=result["error"],
        timed_out=(result["error"] or "").startswith("Timeout"),
    )


def numbered(results: Sequence[DataSourceResult]) -> tuple[Answered, ...]:
    """All sources with their evidence numbered through: E1, E2, and so on."""
    number, sources = 0, []
    for answered in map(answered_of, results):
        pieces = []
        for evidence in answered.evidence:
            number += 1
            pieces.append(replace(evidence, id=f"E{number}"))
        sources.append(replace(answered, evidence=tuple(pieces)))
    return tuple(sources)


def answer_data(answer: Answer) -> dict[str, Any]:
    """An answer as JSON."""
    data: dict[str, Any] = _answers().dump_python(answer, mode="json")
    return data


def answer_of(data: dict[str, Any]) -> Answer:
    """The answer that `answer_data` wrote.

    Raises:
        pydantic.ValidationError: it is none.
    """
    return _answers().validate_python(data)


@functools.cache
def _answers() -> TypeAdapter[Answer]:
    from pydantic import TypeAdapter  # noqa: PLC0415 imported when used

    return TypeAdapter(Answer)


@functools.cache
def _adapter() -> TypeAdapter[tuple[Evidence, ...]]:
    from pydantic import TypeAdapter  # noqa: PLC0415 imported when used

    return TypeAdapter(tuple[Evidence, ...])
