"""The budget of a run: its limits from the settings, what was taken by earlier processes from its record."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from fanfold.agents.protocol import Agent, AgentUnusable
from fanfold.config import FixSettings
from fanfold.fix.attempts.stages import name_of
from fanfold.fix.errors import FixError
from fanfold.fix.reporting.report import BudgetLine
from fanfold.fix.spending.allowance import PRICE, Till
from fanfold.fix.spending.budget import MINUTE_S, Budget, Limits
from fanfold.fix.spending.ledger import NAME, Ledger

_LIMITED = {"cost": "money", "tokens": "tokens"}
_SAY = {
    "cost": "say what an attempt may cost, with max_cost_usd in the agent's table; or limit the minutes",
    "tokens": "limit the minutes, or money with max_cost_usd in the agent's table",
}


def till_of(settings: FixSettings, folder: Path | None = None) -> Till:
    """Gives out what attempts of a run may take.

    Args:
        folder: of the run's record, None = nothing is kept of it.
    Raises:
        FixError: what is spent can't be written down.
    """
    try:
        ledger = Ledger(folder and folder / NAME)
    except OSError as error:
        raise FixError(
            f"what is spent can't be written down in {folder}: {error.strerror}",
            hint="set FANFOLD_FIX_STATE, or `state` in the configuration, to a folder that can be written to",
        ) from error
    return Till(Budget(_of_run(settings), of_task(settings), jobs=settings.jobs, ledger=ledger))


def of_task(settings: FixSettings) -> Limits:
    """What each task may take."""
    return Limits(
        cost_usd=settings.task_max_cost_usd, tokens=settings.task_max_tokens, minutes=settings.task_max_minutes
    )


def refuse_untold(settings: FixSettings, agents: Iterable[Agent]) -> None:
    """See that what is limited is known of each agent.

    Raises:
        AgentUnusable: one doesn't say what it takes of it.
    """
    run, task = _of_run(settings), of_task(settings)
    limited = {
        "cost": run.cost_usd is not None or task.cost_usd is not None,
        "tokens": run.tokens is not None or task.tokens is not None,
    }
    for agent in agents:
        if limited["cost"] and getattr(agent, "price_known", True) is False:
            raise AgentUnusable(
                f"nobody knows what a request of agent {name_of(agent)} costs, so no limit of money can be kept",
                hint=PRICE,
            )
        for what in sorted(name for name, is_limited in limited.items() if is_limited):
            if what not in getattr(agent, "tells", limited):
                raise AgentUnusable(
                    f"agent {name_of(agent)} doesn't say what it takes, so no limit of {_LIMITED[what]} can be kept",
                    hint=_SAY[what],
                )


def _of_run(settings: FixSettings) -> Limits:
    return Limits(cost_usd=settings.max_cost_usd, tokens=settings.max_tokens, minutes=settings.max_minutes)


def budget_line(budget: Budget) -> BudgetLine | None:
    """What the report says of the budget; nothing where there are no limits."""
    run, task, spent = budget.run, budget.task, budget.spent
    if run == task == Limits():
        return None
    return BudgetLine(
        max_cost_usd=run.cost_usd,
        max_tokens=run.tokens,
        max_minutes=run.minutes,
        task_max_cost_usd=task.cost_usd,
        task_max_tokens=task.tokens,
        task_max_minutes=task.minutes,
        cost_usd=spent.cost_usd,
        tokens=spent.tokens,
        known=spent.known,
        minutes=budget.elapsed_s / MINUTE_S,
        exhausted=budget.exhausted,
        task_exhausted=budget.task_exhausted,
    )
