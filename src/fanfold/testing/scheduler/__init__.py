"""A fake scheduler: the REST APIs of HCL Workload Automation over a plan that is data, with faults where wanted.

    plan = Plan(jobs=(PlanJob(name="BATCH001", runs=(Run(status="ABEND", return_code=8, log="ORA-01017"),)),))
    async with FakeScheduler(plan, password="secret", faults=[Fault(on="joblog", status=500)]) as server:
        ... server.url, server.requests, server.performed ...

What it says and where it refuses is what the product's documentation and installations show; what they differ in are
options. Starlette and uvicorn are imported with the server only: a plan needs neither.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from fanfold.testing.scheduler.faults import Fault
from fanfold.testing.scheduler.plan import Dependency, Plan, PlanError, PlanJob, Run, Workstation
from fanfold.testing.scheduler.state import Performed, Request

if TYPE_CHECKING:
    from fanfold.testing.scheduler.server import FakeScheduler

__all__ = [
    "Dependency",
    "FakeScheduler",
    "Fault",
    "Performed",
    "Plan",
    "PlanError",
    "PlanJob",
    "Request",
    "Run",
    "Workstation",
]


def __getattr__(name: str) -> object:
    if name != "FakeScheduler":
        raise AttributeError(f"module 'fanfold.testing.scheduler' has no attribute {name!r}")
    return importlib.import_module("fanfold.testing.scheduler.server").FakeScheduler
