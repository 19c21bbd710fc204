"""The way through: understand, ask all sources at once, aggregate, answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from fanfold.engine import Failed
from fanfold.engine.wrapper import text_of
from fanfold.runtimes import Flow, get_context
from fanfold.troubleshoot.answer import Answer
from fanfold.troubleshoot.ask import ask, title
from fanfold.troubleshoot.evidence import Answered
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.route import route
from fanfold.troubleshoot.rules import conclude
from fanfold.troubleshoot.settings import ParallelConfig
from fanfold.troubleshoot.sources.protocol import Source
from fanfold.troubleshoot.state import ParallelState, answer_data, numbered, result_of
from fanfold.troubleshoot.tell import raw, told

LOG = logging.getLogger(__name__)


class Writer(Protocol):
    """Writes the answer out of what the rules found: a language model."""

    async def write(self, answer: Answer) -> Answer:
        """The same answer in better words and with more insight; each claim cites evidence that there is.

        Raises:
            Exception: it can't; the answer stays as it is.
        """


@dataclass
class Desk:
    """What a run works with: the context of the flow.

    Attributes:
        sources: open, by name.
        writer: None = the rules' own words.
        began_s: when the run began, on the loop's clock; asking_s: when its sources were first asked.
    """

    config: ParallelConfig
    sources: Mapping[str, Source]
    writer: Writer | None = None
    began_s: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    asking_s: float = 0.0


async def understand(state: ParallelState) -> ParallelState:
    """Read the message, and choose the sources that matter for it."""
    desk = get_context(Desk)
    desk.asking_s = asyncio.get_running_loop().time()
    update = understood(state)
    wanted = sources_wanted(update["intent"], state["message"])
    chosen = [name for name in desk.sources if desk.config.is_enabled(name) and (wanted is None or name in wanted)]
    return {**update, "sources": chosen}


def understood(state: ParallelState) -> ParallelState:
    """What a message asks for, with what the caller said of it first."""
    read = route(state["message"])
    one = state.get("job_name")
    jobs = state.get("job_names") or ([one] if one else list(read.entities.jobs))
    instance = state.get("tws_instance_id") or read.entities.instance
    return {
        "intent": state.get("intent") or read.intent,
        "confidence": 1.0 if state.get("intent") else read.confidence,
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


def sources_wanted(intent: str, message: str) -> tuple[str, ...] | None:
    """Names of the sources that can tell about such a question; None = all of them."""
    if intent == "troubleshoot":
        return None
    read = route(message)
    return read.sources if read.intent == intent else ("tws_status", "rag_search")


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
    desk = get_context(Desk)
    source, incident = desk.sources[name], incident_of(state, desk.config)
    return update_with(await ask(source, incident, timeout_s=desk.config.node_timeout_seconds))


def out_of_time(failed: Failed) -> ParallelState:
    """What is known of a source that hadn't answered when the time for all was up."""
    error = f"Timeout fetching {title(failed.key)}"
    return update_with(Answered(source=failed.key, latency_ms=failed.elapsed_s * 1000, error=error, timed_out=True))


def update_with(answered: Answered) -> ParallelState:
    """What a source adds to the state."""
    update: ParallelState = {"parallel_results": [result_of(answered)]}
    return update if answered.error is None else {**update, "errors": [answered.error]}


async def aggregator_node(state: ParallelState) -> ParallelState:
    """Put together what the sources came to, with its figures; where that fails, the raw results stand."""
    results = state.get("parallel_results", [])
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
    desk = get_context(Desk)
    wall_ms = (asyncio.get_running_loop().time() - desk.asking_s) * 1000
    return {
        "aggregated_data": {result["source"]: result["data"] for result in results if result["success"]},
        "parallel_latency_ms": slowest_ms,
        "metadata": {**figures, "parallel_wall_ms": round(wall_ms, 3), "failed_sources": failed},
    }


async def response_generator_node(state: ParallelState) -> ParallelState:
    """The answer, by the rules and then, where there is one, by the writer; without enough sources none is tried."""
    desk = get_context(Desk)
    answer, failed = await _answered(state, desk)
    total_ms = (asyncio.get_running_loop().time() - desk.began_s) * 1000
    metadata = {**state.get("metadata", {}), "total_latency_ms": round(total_ms, 3), **failed}
    if answer is None:
        return {"response": raw(state), "total_latency_ms": total_ms, "metadata": metadata}
    return {
        "answer": answer_data(answer),
        "response": told(answer),
        "total_latency_ms": total_ms,
        "metadata": {**metadata, "status": answer.status, "written_by": answer.written_by},
    }


async def _answered(state: ParallelState, desk: Desk) -> tuple[Answer | None, dict[str, Any]]:
    """The answer, and what failed on the way to it; None where not even the rules could make one."""
    try:
        incident, sources = incident_of(state, desk.config), numbered(state.get("parallel_results", []))
        answer = conclude(incident, sources, min_sources=desk.config.min_sources_required)
    except Exception as error:
        # Whatever a source made up may have broken it: the results themselves are worth more than none.
        LOG.exception("aggregation_failed")
        return None, {"aggregation_error": text_of(error)}
    if desk.writer is None or answer.status == "abstained":
        return answer, {}
    try:
        return await desk.writer.write(answer), {}
    except Exception as error:
        LOG.warning("writer_failed", exc_info=error)
        return answer, {"writer_error": text_of(error)}


def troubleshoot_flow(config: ParallelConfig) -> Flow[ParallelState]:
    """The flow of one incident, with the times that the configuration allows."""
    return Flow(
        name="troubleshoot",
        state=ParallelState,
        prepare=(understand,),
        items=lambda state: state["sources"],
        branch=ask_source,
        failed=out_of_time,
        finish=(aggregator_node, response_generator_node),
        total_deadline_s=config.total_timeout_seconds,
    )
