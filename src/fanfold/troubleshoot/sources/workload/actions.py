"""Actions on one job, with who wants them and why: planned first, performed only when it is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from fanfold.troubleshoot.sources.protocol import SourceError
from fanfold.troubleshoot.sources.workload.api import PlanApi
from fanfold.troubleshoot.sources.workload.plan import Job, JobName
from fanfold.troubleshoot.sources.workload.refusal import WorkloadError

Action = Literal["rerun", "hold", "release", "confirm-succ", "confirm-abend", "cancel", "kill"]
ACTIONS: tuple[Action, ...] = get_args(Action)
MAX_JUSTIFICATION_CHARS = 500
MOST_INSTANCES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Justification:
    """Why something is done: the scheduler writes it into its audit trail."""

    description: str = ""
    category: str = ""
    ticket: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """An action on one job.

    Attributes:
        job, id, workstation, status: the job as it was found.
        method, url, headers: what is sent; nothing of it is secret.
        performed: False for a dry run.
        status_after: the job's status as the scheduler has it afterwards; "" = it isn't known.
    """

    action: Action
    job: str
    id: str
    workstation: str
    status: str
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    performed: bool = False
    status_after: str = ""


async def act(
    api: PlanApi,
    action: Action,
    job: str,
    *,
    justification: Justification | None = None,
    dry_run: bool = True,
    expected_status: str | None = None,
) -> Act:
    """Do one thing to one job, or say what would be sent.

    Args:
        job: `NAME`, `STREAM.NAME` or `WORKSTATION#/FOLDER/STREAM.NAME`, enough to say which; or the id of one.
        justification: why.
        dry_run: False performs it.
        expected_status: nothing is done where the job has another status by now; None = whatever it is.
    Raises:
        SourceError: there is no such job or action, several jobs have that name, its status has changed, or the
            scheduler refuses.
    """
    if action not in ACTIONS:
        raise SourceError(f"there is no action {action!r}", hint=f"actions are {', '.join(ACTIONS)}")
    found = await _the_one(api, job)
    if expected_status is not None and found.status != expected_status:
        raise SourceError(
            f"{found.title} is in {found.status} by now, not in {expected_status}: nothing was done",
            hint="look at the job again, and decide anew",
        )
    path = api.action_path(action, found)
    headers = _headers(justification or Justification())
    planned = Act(
        action=action,
        job=found.title,
        id=found.id,
        workstation=found.workstation,
        status=found.status,
        method="PUT",
        url=api.transport.url + path,
        headers=headers,
    )
    return planned if dry_run else await _performed(api, planned, path)


async def _performed(api: PlanApi, planned: Act, path: str) -> Act:
    try:
        await api.transport.put(path, headers=planned.headers, body={})
    except WorkloadError as error:
        if error.code == "AWSBIN076E":
            error.hint = f"a job in {planned.status} can't be confirmed any more; rerun it, or let its successors go on"
        raise
    try:
        after = (await api.job(planned.id)).status
    except SourceError:
        after = ""
    return replace(planned, performed=True, status_after=after)


async def _the_one(api: PlanApi, text: str) -> Job:
    if len(text) == 36 and text.count("-") == 4:
        return await api.job(text)
    found = (await api.find(JobName.parse(text), most=MOST_INSTANCES)).jobs
    if not found:
        raise SourceError(f"there is no job {text!r} in the plan", hint="look up how it is called")
    if len(found) > 1:
        ways = ", ".join(f"{job.workstation}#{job.title} ({job.status}) {job.id}" for job in found[:5])
        raise SourceError(
            f"{len(found)} jobs in the plan are called {text!r}, and one is acted on at a time",
            hint=f"say which, by its id: {ways}",
        )
    return found[0]


def _headers(justification: Justification) -> dict[str, str]:
    said = {
        "Justification-Category": justification.category,
        "Justification-Description": justification.description,
        "Justification-Ticket-Num": justification.ticket,
    }
    return {name: _one_line(value) for name, value in said.items() if value.strip()}


def _one_line(text: str) -> str:
    """Fit for a header: on one line, and of the letters that headers have."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line[:MAX_JUSTIFICATION_CHARS].encode("latin-1", "replace").decode("latin-1")
