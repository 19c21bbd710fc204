"""Look into an incident: open the sources, run the flow, give back what it came to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from fanfold.engine import Event
from fanfold.runtimes import Runtime
from fanfold.troubleshoot.desk import Desk, Writer
from fanfold.troubleshoot.flow import answered, incident_of, troubleshoot_flow
from fanfold.troubleshoot.route import Route
from fanfold.troubleshoot.settings import ParallelConfig
from fanfold.troubleshoot.sources.protocol import Source
from fanfold.troubleshoot.state import ParallelState


async def troubleshoot(
    message: str,
    sources: Mapping[str, Source],
    *,
    jobs: Sequence[str] = (),
    instance: str | None = None,
    at: datetime | None = None,
    read: Route | None = None,
    config: ParallelConfig | None = None,
    writer: Writer | None = None,
    runtime: Runtime | None = None,
    on_event: Callable[[Event], None] | None = None,
    compare_sequential: bool = False,
) -> ParallelState:
    """Ask all sources that matter at once, and answer from what they say.

    Several jobs are one incident: each source is asked about all of them in one go, asks for each of them at once where
    its system has an answer for each, and one answer is made of what all came to. A cause that several jobs share is
    seen as one that way, and so is a job that fails because another one did.

    Args:
        message: what went wrong, in English or Portuguese.
        sources: by name; opened for the time of the run.
        jobs: what it is about; none = those that the message names.
        instance: of the scheduler; None = the one that the message names, if it does.
        at: when it happened, with a time zone; None = lately.
        read: what the message asks for; None = what its words do, which may be no question for a troubleshooter.
        config: times and limits.
        writer: a language model; None = the one of the configuration, else the answer is made by rules alone.
        runtime: who runs it; None = the native one.
        on_event: called with each event of the sources' fan-out, and must return at once.
        compare_sequential: ask the same sources twice more afterwards, at once and one after another, and put into the
            metadata how long both took, and how many times as long the one after another.
    Returns:
        The final state; `response` is the answer as text, `answer` as data.
    """
    config = config or ParallelConfig()
    state = asked(message, jobs=jobs, instance=instance, at=at, read=read)
    async with Desk(config=config, sources=sources, writer=writer).opened() as desk:
        flow = troubleshoot_flow(config)
        result = await flow.run(state, context=desk, runtime=runtime, on_event=on_event)
        return await _compared(result.state, desk) if compare_sequential else result.state


def asked(
    message: str,
    *,
    jobs: Sequence[str] = (),
    instance: str | None = None,
    at: datetime | None = None,
    read: Route | None = None,
) -> ParallelState:
    """The state that a run begins with."""
    began_at = datetime.now(UTC).isoformat()
    state: ParallelState = {"message": message, "tws_instance_id": instance, "metadata": {"began_at": began_at}}
    if jobs:
        state["job_names"] = list(jobs)
    if at is not None:
        state["at"] = at.isoformat()
    if read is not None:
        state |= {"intent": read.intent, "confidence": read.confidence}
    return state


async def _compared(state: ParallelState, desk: Desk) -> ParallelState:
    """The state with how long the same takes at once and one after another.

    The sources were just asked for the answer: connections are open for both, and what is prepared once is prepared.
    """
    incident, names = incident_of(state, desk.config), state["sources"]
    time_s = asyncio.get_running_loop().time
    began_s = time_s()
    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(answered(desk, name, incident))
    at_once_s = time_s() - began_s
    for name in names:
        await answered(desk, name, incident)
    one_by_one_s = time_s() - began_s - at_once_s
    measured = {
        "measured_parallel_ms": round(at_once_s * 1000, 3),
        "measured_sequential_ms": round(one_by_one_s * 1000, 3),
        "measured_speedup": one_by_one_s / at_once_s if names else 1.0,
    }
    return {**state, "metadata": {**state["metadata"], **measured}}
