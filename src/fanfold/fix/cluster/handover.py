"""What was attempted on another machine, on its way: sent with its files, received as a change of this repository."""

from __future__ import annotations

from dataclasses import replace

from fanfold.agents.protocol import BudgetExhausted
from fanfold.engine import DeadlineExceeded, Done, Failed, Outcome
from fanfold.errors import FanfoldError
from fanfold.fix.attempts.attempt import Attempted
from fanfold.fix.attempts.bench import Workplace
from fanfold.fix.record import Run
from fanfold.git import GitError, Inbox, pack_change


async def sent(workplace: Workplace, attempted: Attempted) -> Attempted:
    """What leaves the machine that it was made on; as it is where that is the coordinator's."""
    if not workplace.elsewhere or workplace.bench is None or attempted.change is None:
        return attempted
    return replace(attempted, parcel=await pack_change(workplace.bench.repository, attempted.change))


async def received(run: Run, outcome: Outcome[Attempted]) -> Outcome[Attempted]:
    """An outcome whose change is in the user's object store, whoever made it; a failure where that can't be.

    What a worker says of its change isn't believed: it is a change of the files that the branch was for, on the
    base, or none. Whether it is good is seen again when all changes are checked together.
    """
    if not isinstance(outcome, Done):
        return replace(outcome, error=_as_raised(outcome.error))
    attempted = _its_own(run, outcome)
    if attempted.change is None or (attempted.parcel is None and not run.elsewhere):
        return replace(outcome, value=attempted)
    base = run.bench.brief.base if run.bench else run.repository.head
    try:
        change = await (await _inbox(run)).take(attempted.parcel or "", base=base, only=_paths(run, outcome.key))
    except GitError as error:
        return Failed(outcome.key, error, outcome.started_s, outcome.elapsed_s, outcome.attempts, outcome.index)
    return replace(outcome, value=replace(attempted, change=change, parcel=None))


def _paths(run: Run, key: str) -> tuple[str, ...]:
    """The files that a task may change, as it was planned here."""
    return next((task.paths for task in run.plan.tasks if task.key == key), (key,))


def _its_own(run: Run, outcome: Done[Attempted]) -> Attempted:
    """What was attempted, with the task as it was given."""
    tasks = {task.key: task for task in run.plan.tasks}
    return replace(outcome.value, task=tasks.get(outcome.key, outcome.value.task))


async def _inbox(run: Run) -> Inbox:
    if run.inbox is None:
        run.inbox = await run.closing.enter_async_context(Inbox(run.repository))
    return run.inbox


def _as_raised(error: Exception) -> Exception:
    """An error of Fanfold's own that a runtime told from elsewhere, as it would have been raised here.

    Such an error has the original's type as text: there is no telling what would be unpickled.
    """
    name, text = getattr(error, "type_name", ""), getattr(error, "message", "")
    if not (isinstance(name, str) and name.startswith("fanfold.") and isinstance(text, str)):
        return error
    kinds = {kind.__name__: kind for kind in (DeadlineExceeded, BudgetExhausted)}
    made = kinds.get(name.rpartition(".")[2], FanfoldError)(text, hint=getattr(error, "hint", None))
    made.__cause__ = error
    return made
