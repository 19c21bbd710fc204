"""The way through: understand, ask all sources at once, aggregate, answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any, Final

from fanfold.engine import BranchNotStarted, DeadlineExceeded, Failed
from fanfold.engine.wrapper import text_of
from fanfold.llm import counted
from fanfold.runtimes import Flow
from fanfold.troubleshoot.answer import Answer, Claim
from fanfold.troubleshoot.apart import apart
from fanfold.troubleshoot.ask import MOST_CHARS, ask, clean_text, title
from fanfold.troubleshoot.desk import Desk, Writer, desk_here
from fanfold.troubleshoot.evidence import Answered
from fanfold.troubleshoot.incident import Incident, Language
from fanfold.troubleshoot.route import Route, route
from fanfold.troubleshoot.rules import conclude
from fanfold.troubleshoot.settings import KNOWLEDGE, ParallelConfig
from fanfold.troubleshoot.state import ParallelState, answer_data, answered_of, numbered, result_of
from fanfold.troubleshoot.tell import raw, told

__all__ = ["Desk", "Writer", "troubleshoot_flow"]

LOG = logging.getLogger(__name__)
CAN_DO: Final[Mapping[Language, str]] = {
    "en": "I can find out why a job failed: say which one, and what you saw. For anything else I am of no use.",
    "pt": "Posso descobrir por que um job falhou: diga qual é e o que você viu. Para outras coisas não sirvo.",
}
LOOKED_UP: Final[Mapping[Language, str]] = {
    "en": "This fits best: {title} [{id}].",
    "pt": "Isto é o que mais se aproxima: {title} [{id}].",
}


async def understand(state: ParallelState) -> ParallelState:
    """Read the message, and choose the sources that matter for it."""
    desk = await desk_here()
    update = understood(state)
    wanted = sources_wanted(update["intent"], state["message"])
    enabled = [name for name in desk.sources if desk.config.is_enabled(name)]
    chosen = [name for name in enabled if wanted is None or name in wanted]
    if chosen and len(chosen) < desk.config.min_sources_required:
        chosen = enabled  # too few of them could answer for any answer to count
    now = datetime.now(UTC).isoformat()
    return {**update, "sources": chosen, "metadata": {"began_at": now, **state.get("metadata", {}), "asking_at": now}}


def understood(state: ParallelState) -> ParallelState:
    """What a message asks for, with what the caller said of it first."""
    read = route(state["message"])
    one = state.get("job_name")
    given = state.get("job_names") or ([one] if one else [])
    jobs = given or list(read.entities.jobs)
    instance = state.get("tws_instance_id") or read.entities.instance
    intent, confidence = _intent(state, read, bool(given))
    return {
        "intent": intent,
        "confidence": confidence,
        "job_names": jobs,
        "tws_instance_id": instance,
        "asked_at": state.get("asked_at") or datetime.now(UTC).isoformat(),
        "entities": {
            "jobs": jobs,
            "instance": instance,
            "codes": list(read.entities.codes),
            "language": read.language,
            "why": list(read.why),
        },
    }


def _intent(state: ParallelState, read: Route, names_jobs: bool) -> tuple[str, float]:
    if intent := state.get("intent"):
        return intent, state.get("confidence", 1.0)
    if read.intent == "other" and names_jobs:
        # Whoever names a job to a troubleshooter wants to know what is wrong with it, whatever the words are.
        return "troubleshoot", 0.5
    return read.intent, read.confidence


def sources_wanted(intent: str, message: str) -> tuple[str, ...] | None:
    """Names of the sources that can tell about such a question; None = all of them."""
    if intent == "troubleshoot":
        return None
    read = route(message)
    return read.sources if read.intent == intent or intent == "other" else ("tws_status", "rag_search")


def incident_of(state: ParallelState, config: ParallelConfig) -> Incident:
    """What the sources are asked about."""
    entities = state["entities"]
    return Incident(
        message=state["message"],
        now=datetime.fromisoformat(state["asked_at"]),
        jobs=tuple(entities["jobs"]),
        instance=entities["instance"],
        codes=tuple(entities["codes"]),
        at=datetime.fromisoformat(at) if (at := state.get("at")) else None,
        window_s=config.window_seconds,
        language=entities["language"],
    )


async def ask_source(name: str, state: ParallelState) -> ParallelState:
    """One source's answer, whatever it is."""
    desk = await desk_here()
    return update_with(await answered(desk, name, incident_of(state, desk.config)))


async def answered(desk: Desk, name: str, incident: Incident) -> Answered:
    """What a source of the desk answers, within what the configuration allows it."""
    async with desk.source(name) as source:
        came_to = _readable(await ask(source, incident, timeout_s=desk.config.node_timeout_seconds))
    return _limited(came_to, desk.config.rag_result_limit) if name == KNOWLEDGE else came_to


def _readable(answered: Answered) -> Answered:
    """The same; where what it found is no evidence, a failure that says so, or it would take all others with it."""
    try:
        answered_of(result_of(answered))
    except ValueError as error:
        why = f"what it answered is no evidence: {text_of(error)}"
        return replace(answered, evidence=(), error=why[:MOST_CHARS])
    return answered


def _limited(answered: Answered, most: int) -> Answered:
    entries = [piece for piece in answered.evidence if piece.kind == "runbook"]
    left_out = entries[most:]
    return replace(answered, evidence=tuple(piece for piece in answered.evidence if piece not in left_out))


def not_answered(failed: Failed) -> ParallelState:
    """What is known of a source whose branch ended without an answer: most often, the time for all was up."""
    timed_out = isinstance(failed.error, DeadlineExceeded | BranchNotStarted)
    error = f"Timeout fetching {title(failed.key)}" if timed_out else clean_text(text_of(failed.error))
    latency_ms = failed.elapsed_s * 1000
    return update_with(Answered(source=failed.key, latency_ms=latency_ms, error=error, timed_out=timed_out))


def update_with(answered: Answered) -> ParallelState:
    """What a source adds to the state."""
    update: ParallelState = {"parallel_results": [result_of(answered)]}
    return update if answered.error is None else {**update, "errors": [answered.error]}


async def aggregator_node(state: ParallelState) -> ParallelState:
    """Put together what the sources came to, with its figures; where that fails, the raw results stand."""
    try:
        return _aggregated(state)
    except Exception as error:
        # A graph of somebody else's may have put anything there: the answer is made of what can be read of it.
        LOG.exception("aggregation_failed")
        return {"metadata": {**state.get("metadata", {}), "aggregation_error": text_of(error)}}


def _aggregated(state: ParallelState) -> ParallelState:
    results, metadata = state.get("parallel_results", []), state.get("metadata", {})
    latencies = [result["latency_ms"] for result in results]
    slowest_ms, together_ms = max(latencies, default=0.0), sum(latencies)
    failed = [result["source"] for result in results if not result["success"]]
    figures = {
        "sources_available": len(results) - len(failed),
        "sources_failed": len(failed),
        "parallel_latency_ms": round(slowest_ms, 3),
        "sequential_equivalent_ms": round(together_ms, 3),
        "speedup_factor": together_ms / slowest_ms if slowest_ms else 1.0,
    }
    LOG.info("parallel_aggregation_complete", extra={**figures, "speedup_factor": f"{figures['speedup_factor']:.2f}x"})
    wall = {"parallel_wall_ms": since_ms(metadata["asking_at"])} if "asking_at" in metadata else {}
    return {
        "aggregated_data": {result["source"]: result["data"] for result in results if result["success"]},
        "parallel_latency_ms": slowest_ms,
        "metadata": {**metadata, **figures, **wall, "failed_sources": failed},
    }


async def response_generator_node(state: ParallelState) -> ParallelState:
    """The answer, by the rules and then, where there is one, by the writer; without enough sources none is tried."""
    answer, failed = await _answered(state, await desk_here())
    metadata = {**state.get("metadata", {}), **failed}
    given = await apart(_said, state, answer)
    if answer is not None:
        metadata |= {"status": answer.status, "written_by": answer.written_by}
    total_ms = since_ms(metadata["began_at"]) if "began_at" in metadata else state.get("parallel_latency_ms", 0.0)
    return {**given, "total_latency_ms": total_ms, "metadata": metadata}


def _said(state: ParallelState, answer: Answer | None) -> ParallelState:
    """An answer as data and as text; without one the raw results."""
    return {"response": raw(state)} if answer is None else {"answer": answer_data(answer), "response": told(answer)}


async def _answered(state: ParallelState, desk: Desk) -> tuple[Answer | None, dict[str, Any]]:
    """The answer, and what failed on the way to it; None where not even the rules could make one."""
    if "aggregation_error" in state.get("metadata", {}):
        return None, {}
    try:
        answer = await apart(concluded, state, desk.config)
    except Exception as error:
        # Whatever a source made up may have broken it: the results themselves are worth more than none.
        LOG.exception("aggregation_failed")
        return None, {"aggregation_error": text_of(error)}
    return (answer, {}) if answer.status == "abstained" or _is_other(state) else await _written(answer, desk)


def concluded(state: ParallelState, config: ParallelConfig) -> Answer:
    """The answer that the rules come to."""
    read = state if "entities" in state else {**state, **understood(state)}
    incident = incident_of(read, config)
    if _is_other(state):
        return Answer(incident=incident, status="unknown", summary=CAN_DO[incident.language])
    answer = conclude(incident, numbered(state.get("parallel_results", [])), min_sources=config.min_sources_required)
    return _looked_up(answer) if read["intent"] == "how_to" and answer.status == "unknown" else answer


def _looked_up(answer: Answer) -> Answer:
    """The answer to a question that isn't about a failure: what the runbooks say."""
    entries = [piece for piece in answer.evidence if piece.kind == "runbook"]
    if not entries:
        return answer
    first, language = entries[0], answer.incident.language
    steps = first.facts.get("steps")
    told = tuple(Claim(text=step, evidence=(first.id,)) for step in (steps if isinstance(steps, list) else ()))
    summary = LOOKED_UP[language].format(title=first.facts.get("title") or first.subject, id=first.id)
    return replace(answer, summary=summary, next_steps=told, missing=())


def _is_other(state: ParallelState) -> bool:
    """Whether it's no question for a troubleshooter."""
    return state.get("intent") == "other" and not state.get("parallel_results")


async def _written(answer: Answer, desk: Desk) -> tuple[Answer, dict[str, Any]]:
    failed: dict[str, Any] = {}
    with counted() as spent:
        try:
            async with desk.writing() as writer, asyncio.timeout(desk.config.writer_timeout_seconds):
                answer = answer if writer is None else await writer.write(answer)
        except Exception as error:
            LOG.warning("writer_failed", exc_info=error)
            failed = {"writer_error": clean_text(text_of(error))}
    return answer, {**failed, **({"usage": asdict(spent.usage)} if spent.asked else {})}


def since_ms(at: str) -> float:
    """Milliseconds since a time."""
    passed = datetime.now(UTC) - datetime.fromisoformat(at)
    return max(0.0, round(passed.total_seconds() * 1000, 3))


def troubleshoot_flow(config: ParallelConfig) -> Flow[ParallelState]:
    """The flow of one incident, with the times that the configuration allows."""
    return Flow(
        name="troubleshoot",
        state=ParallelState,
        prepare=(understand,),
        items=lambda state: state["sources"],
        branch=ask_source,
        failed=not_answered,
        finish=(aggregator_node, response_generator_node),
        total_deadline_s=config.total_timeout_seconds,
    )
