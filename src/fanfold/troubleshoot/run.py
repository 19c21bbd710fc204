"""Look into an incident: open the sources, run the flow, give back what it came to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any

from fanfold.engine import Event
from fanfold.runtimes import Runtime
from fanfold.troubleshoot.flow import Desk, Writer, troubleshoot_flow
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
    config: ParallelConfig | None = None,
    writer: Writer | None = None,
    runtime: Runtime | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> ParallelState:
    """Ask all sources that matter at once, and answer from what they say.

    Args:
        message: what went wrong, in English or Portuguese.
        sources: by name; opened for the time of the run.
        jobs: what it is about; none = those that the message names.
        instance: of the scheduler; None = the one that the message names, if it does.
        at: when it happened, with a time zone; None = lately.
        config: times and limits.
        writer: a language model; None = the answer is made by rules alone.
        runtime: who runs it; None = the native one.
        on_event: called with each event of the sources' fan-out, and must return at once.
    Returns:
        The final state; `response` is the answer as text, `answer` as data.
    """
    config = config or ParallelConfig()
    state: ParallelState = {"message": message, "job_names": list(jobs), "tws_instance_id": instance}
    if at is not None:
        state["at"] = at.isoformat()
    async with opened(sources) as held:
        flow = troubleshoot_flow(config)
        result = await flow.run(state, context=Desk(config, held, writer), runtime=runtime, on_event=on_event)
    return result.state


@asynccontextmanager
async def opened(sources: Mapping[str, Source]) -> AsyncIterator[Mapping[str, Source]]:
    """All sources open; those that can't be opened say so when they are asked."""
    async with AsyncExitStack() as stack:
        held: dict[str, Source] = {}
        for name, source in sources.items():
            try:
                await stack.enter_async_context(source.open())
            except Exception as error:  # noqa: BLE001 a source is anybody's code, and the others go on
                held[name] = Closed(source, error)
            else:
                held[name] = source
        yield held


class Closed:
    """A source that couldn't be opened."""

    def __init__(self, source: Source, error: Exception) -> None:
        self.name = source.name
        self.timeout_s = source.timeout_s
        self._error = error

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Nothing to hold."""
        yield

    async def ask(self, _: Any) -> Any:
        """Say why it couldn't be opened."""
        raise self._error
