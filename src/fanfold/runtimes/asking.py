"""What a branch that runs elsewhere says to the coordinator of its run, and asks it, while it is at work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, TypeAlias

from fanfold.errors import FanfoldError

Answer: TypeAlias = Callable[[Any], Awaitable[Any]]
"""The coordinator's side: takes what a branch says, as JSON has it, and returns the answer, as JSON can have it."""


class NoCoordinator(FanfoldError):
    """Code asks for a coordinator that runs in no branch elsewhere, or whose coordinator is gone."""


class Coordinator(Protocol):
    """Where what a branch says is answered by what its flow's `attend` yields there."""

    async def ask(self, question: Any) -> Any:
        """Say something, as JSON can have it, and wait for the answer; from any event loop.

        Raises:
            NoCoordinator: nobody answers any more.
        """

    def tell(self, news: Any) -> None:
        """Say something that needs no answer; from any thread. What is said by one arrives in that order."""


_here: ContextVar[Coordinator | None] = ContextVar("fanfold_coordinator", default=None)


def coordinator() -> Coordinator:
    """The coordinator of the branch that this code runs in.

    Raises:
        NoCoordinator: this code runs in no branch, or in one that is where its run is.
    """
    found = _here.get()
    if found is None:
        raise NoCoordinator(
            "there is no coordinator to be asked here", hint="only branches that run elsewhere have one"
        )
    return found


@contextmanager
def coordinated(by: Coordinator) -> Iterator[None]:
    """Code in this block has a coordinator."""
    before = _here.set(by)
    try:
        yield
    finally:
        _here.reset(before)
