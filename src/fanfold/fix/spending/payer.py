"""Who gives out what attempts may take: the run's till, or what stands for it on another machine."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from fanfold.agents.protocol import Agent, Purse
from fanfold.llm.usage import Usage


class OpenPurse(Purse, Protocol):
    """What one attempt may take, as long as it lasts."""

    def tell(self, usage: Usage | None) -> None:
        """What the agent says that the attempt took, all in all; None = it doesn't say."""
        ...


class Payer(Protocol):
    """Gives out what attempts may take."""

    def check_time(self, key: str) -> None:
        """See that there is time left to begin something at a task.

        Raises:
            BudgetExhausted: there is none.
        """
        ...

    def attempt(self, key: str, agent: Agent, *, known_as: str = "") -> AbstractAsyncContextManager[OpenPurse]:
        """What one attempt at a task may take; at its end whatever wasn't settled is taken for spent.

        Args:
            known_as: its id, by which it is known though the process that it is in dies.
        Raises:
            BudgetExhausted: the time is up, before it or in its midst; or what the agent may take isn't left.
        """
        ...
