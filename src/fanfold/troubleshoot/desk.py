"""What a run works with: its configuration, its sources, who writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from fanfold.runtimes import NoContext, get_context
from fanfold.troubleshoot.answer import Answer
from fanfold.troubleshoot.settings import ParallelConfig, load_config, sources_of
from fanfold.troubleshoot.sources.protocol import Source


class Writer(Protocol):
    """Writes the answer out of what the rules found: a language model."""

    async def write(self, answer: Answer) -> Answer:
        """The same answer in better words and with more insight; each claim cites evidence that there is.

        Raises:
            Exception: it can't; the answer stays as it is.
        """


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What a run works with: the context of the flow.

    Attributes:
        sources: by name.
        writer: None = whom the configuration names, else the rules' own words.
        is_open: whether the sources are; else each is opened for the time that it is asked.
    """

    config: ParallelConfig = field(default_factory=ParallelConfig)
    sources: Mapping[str, Source]
    writer: Writer | None = None
    is_open: bool = False

    @classmethod
    def configured(cls, config: ParallelConfig | None = None, root: Path | None = None) -> Desk:
        """That of the configuration; None = the one in the project's files. Reads files."""
        config = config or load_config(root)
        return cls(config=config, sources=sources_of(config, root))

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Desk]:
        """The same with everything open, as long as the block; sources that can't be opened say so when asked."""
        async with AsyncExitStack() as stack:
            sources = await stack.enter_async_context(opened(self.sources))
            writer = self.writer or await stack.enter_async_context(_configured_writer(self.config))
            yield replace(self, sources=sources, writer=writer, is_open=True)

    @asynccontextmanager
    async def source(self, name: str) -> AsyncIterator[Source]:
        """One source, open."""
        if self.is_open:
            yield self.sources[name]
            return
        async with opened({name: self.sources[name]}) as held:
            yield held[name]

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Writer | None]:
        """Who writes, if anybody does."""
        if self.is_open or self.writer is not None:
            yield self.writer
            return
        async with _configured_writer(self.config) as writer:
            yield writer


async def desk_here() -> Desk:
    """That of the run around, else the one of the configuration."""
    try:
        return get_context(Desk)
    except NoContext:
        return await asyncio.to_thread(Desk.configured)


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


@asynccontextmanager
async def _configured_writer(config: ParallelConfig) -> AsyncIterator[Writer | None]:
    if config.llm is None:
        yield None
        return
    # Imported when used: prompts, checks and the connection are for those who have a model.
    from fanfold.troubleshoot.prompts import Prompts  # noqa: PLC0415
    from fanfold.troubleshoot.synthesise import opened_writer  # noqa: PLC0415

    prompts = await asyncio.to_thread(Prompts.read, config.prompts)
    async with opened_writer(config.llm, prompts=prompts) as writer:
        yield writer
