"""The source `workload`: what HCL Workload Automation knows of jobs, their runs, logs and dependencies."""

from fanfold.troubleshoot.sources.workload.actions import ACTIONS, Act, Action, Justification
from fanfold.troubleshoot.sources.workload.refusal import WorkloadError
from fanfold.troubleshoot.sources.workload.settings import SchedulerSettings, WorkloadSettings
from fanfold.troubleshoot.sources.workload.source import Workload

__all__ = [
    "ACTIONS",
    "Act",
    "Action",
    "Justification",
    "SchedulerSettings",
    "Workload",
    "WorkloadError",
    "WorkloadSettings",
]
