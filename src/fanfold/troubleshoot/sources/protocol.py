"""What a source is."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from fanfold.errors import FanfoldError
from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.incident import Incident


class SourceError(FanfoldError):
    """A source can't answer: it can't be reached, refuses, or is configured wrongly. Messages hold no secrets."""


class Source(Protocol):
    """Answers questions about incidents from one system, and changes nothing there.

    An entry point of the group `fanfold.sources` names a class with a class method
    `make(settings: Mapping[str, object], root: Path) -> Source`, which gets the source's own table of the
    configuration and the folder that relative paths in it start from.
    """

    @property
    def name(self) -> str:
        """What reports call it, unique among the sources of a run."""

    @property
    def timeout_s(self) -> float:
        """Seconds until its answer is no longer waited for."""

    def open(self) -> AbstractAsyncContextManager[None]:
        """What it holds while it is asked: connections, files. Opening must not wait for the network."""

    async def ask(self, incident: Incident) -> Sequence[Evidence]:
        """What it knows about the incident, the most telling first; nothing where it knows nothing.

        Called within `open`, for several incidents at once.

        Raises:
            SourceError: it can't answer.
        """
