"""One try of one agent at one task, as it is counted: how long it took, what it cost, what it brought."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from fanfold.llm.usage import Usage

FREE = Usage(cost_usd=0.0)
"""Of who asks nobody."""


@dataclass(frozen=True, kw_only=True)
class Effort:
    """What one try took, whatever came of it.

    Args:
        stage: the stage's position, from 0.
        agent: who worked.
        agent_s: seconds that the agent took.
        usage: what it asked for, None = nobody knows.
        ok: whether what it made was verified.
        fixed: findings of the task that it fixed, beyond those that had been fixed before it; 0 where another try was
            taken instead.
        id: of its trail; "" where nobody noted it.
        cut_off: it belongs to an earlier process of the run, which ended before the task did; nothing came of it.
        error: why it ended without an answer, None = it didn't, or somebody or something else ended it.
    """

    stage: int
    agent: str
    agent_s: float = 0.0
    usage: Usage | None = None
    ok: bool = False
    fixed: int = 0
    error: str | None = None
    id: str = ""
    cut_off: bool = False


def usage_of(efforts: Iterable[Effort]) -> Usage | None:
    """What tries took together, as far as it is known; None where nothing is known of any.

    What one of them took may be unknown: then so is the cost of all, and tokens are those of the others.
    """
    each = [effort.usage for effort in efforts]
    known = [usage for usage in each if usage is not None]
    if not known:
        return None
    total = sum(known[1:], known[0])
    return replace(total, cost_usd=None) if len(known) < len(each) else total


def makers_of(efforts: Iterable[Effort]) -> str:
    """Whose work there is in a change, in the order in which they came to it; "" where nobody noted that."""
    return ", ".join(dict.fromkeys(effort.agent for effort in efforts if effort.fixed))


def with_efforts(error: Exception, efforts: Iterable[Effort]) -> Exception:
    """An error that ended a task, with what had been tried by then; it keeps the type that others look for."""
    vars(error)["efforts"] = tuple(efforts)
    return error


def efforts_of(error: Exception) -> tuple[Effort, ...]:
    """What had been tried when an error ended a task; nothing where it comes from elsewhere."""
    efforts: tuple[Effort, ...] = getattr(error, "efforts", ())
    return efforts
