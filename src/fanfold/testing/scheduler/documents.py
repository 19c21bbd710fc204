"""Jobs, workstations and the engine as the scheduler's APIs describe them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from fanfold.testing.scheduler.joblog import number_of
from fanfold.testing.scheduler.plan import Dependency, Plan, PlanJob, Run, Workstation

Document = dict[str, Any]

_TYPES = {
    "jobstream": "JOBSTREAM",
    "resource": "RESOURCE",
    "file": "FILE",
    "prompt": "PROMPT",
    "time": "TIME_RESTRICTION",
}
_TERMINAL = frozenset({"SUCC", "CANCL", "SUPPR"})


def job_v2(plan: Plan, job: PlanJob) -> Document:
    """A job as V2 has it."""
    return {
        "flowNodeType": "JOB",
        "id": plan.id_of(job),
        "name": job.name,
        "folder": job.folder,
        "workstation": f"/{job.workstation}",
        "jobStreamName": job.jobstream,
        "jobStreamSchedTime": when(job.scheduled),
        "key": f"/{job.workstation}#{job.folder.rstrip('/')}/{job.jobstream}.{job.name}",
        "lastRunCompositeStatus": {"status": job.state, "substatus": job.substatus or job.state, "error": job.error},
        "jobruns": [_run_v2(plan, job, run, index) for index, run in enumerate(job.runs)],
        "dependencies": [_dependency(plan, job, one) for one in job.dependencies],
        "jobDefinition": {
            "recoveryOption": job.recovery,
            "userLogin": job.user,
            "scriptName": job.script,
            "lastUpdateTime": when(job.changed),
        },
    }


def _run_v2(plan: Plan, job: PlanJob, run: Run, index: int) -> Document:
    return {
        "id": plan.run_id_of(job, index),
        "number": number_of(plan, job, run),
        "status": run.status,
        "returnCode": run.exit_status,
        "runAttempt": index + 1,
        "actualWorkstation": f"/{run.workstation or job.workstation}",
        "timeInfo": {
            "actualStartTime": when(run.started),
            "actualEndTime": when(run.ended),
            "elapsedTime": _elapsed_ms(plan, run),
            "estimatedDuration": None if run.estimated_s is None else round(run.estimated_s * 1000),
        },
    }


def _dependency(plan: Plan, job: PlanJob, one: Dependency) -> Document:
    if one.type != "job":
        return {
            "dependencyType": _TYPES[one.type],
            "id": f"{plan.id_of(job)}:{one.on}",
            "name": one.on,
            "dependencyStatus": "SATISFIED" if one.satisfied else "UNDECIDED",
        }
    other = plan.named(one.on, near=job)[0]
    satisfied = other.state in _TERMINAL if one.satisfied is None else one.satisfied
    return {
        "dependencyType": "INTERNAL_JOB" if other.jobstream == job.jobstream else "EXTERNAL_JOB",
        "id": plan.id_of(other),
        "dependencyStatus": "SATISFIED" if satisfied else "UNDECIDED",
        "jobId": plan.id_of(other),
        "jobName": other.name,
        "jobStreamName": other.jobstream,
        "jobStreamWorkstation": f"/{other.workstation}",
        "jobStreamSchedTime": when(other.scheduled),
    }


def job_v1(plan: Plan, job: PlanJob) -> Document:
    """A job as V1 has it: the last run alone."""
    run = job.runs[-1] if job.runs else Run(status=job.state)
    workstation = {"name": job.workstation}
    return {
        "id": plan.id_of(job),
        "name": job.name,
        "key": {"name": job.name, "workstationKey": workstation, "startTime": when(run.started)},
        "jobStreamInPlan": {"name": job.jobstream, "workstationKey": workstation, "startTime": when(job.scheduled)},
        "status": {"commonStatus": job.state, "internalStatus": job.substatus or job.state, "message": job.error},
        "jobNumber": number_of(plan, job, run),
        "returnCode": run.exit_status,
        "startTime": when(run.started),
        "endTime": when(run.ended),
        "elapsedTime": _elapsed_ms(plan, run),
        "estimatedDuration": None if run.estimated_s is None else round(run.estimated_s * 1000),
        "runAttempt": len(job.runs),
        "recoveryOption": job.recovery,
        "dependencies": [_dependency(plan, job, one) for one in job.dependencies],
    }


def workstation_v2(plan: Plan, workstation: Workstation) -> Document:
    """A workstation as both APIs have it."""
    return {
        "id": plan.workstation_id_of(workstation.name),
        "name": workstation.name,
        "key": f"/{workstation.name}",
        "type": workstation.type,
        "linked": workstation.linked,
        "running": workstation.running,
        "limit": workstation.limit,
        "fence": workstation.fence,
        "agents": list(workstation.agents),
    }


def health_of(workstation: Workstation) -> Document:
    """What a health check of a workstation answers."""
    well = workstation.healthy and workstation.linked and workstation.running
    return {"status": "HEALTHY" if well else "UNHEALTHY", "message": workstation.message}


def engine_of(plan: Plan) -> Document:
    """What the engine says of itself."""
    starts, ends = plan.covers
    return {
        "engineName": plan.instance,
        "engineVersion": plan.version,
        "planStartTime": when(starts),
        "planEndTime": when(ends),
        "timezone": str(plan.now.tzname()),
    }


def when(at: datetime | None) -> str | None:
    """A time as the scheduler writes it."""
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _elapsed_ms(plan: Plan, run: Run) -> int | None:
    if run.started is None:
        return None
    return round(((run.ended or plan.now) - run.started) / timedelta(milliseconds=1))
