"""The source `workload`: what HCL Workload Automation knows of jobs, their runs, logs and dependencies."""

from fanfold.troubleshoot.sources.workload.settings import SchedulerSettings, WorkloadSettings
from fanfold.troubleshoot.sources.workload.source import Workload
from fanfold.troubleshoot.sources.workload.transport import WorkloadError

__all__ = ["SchedulerSettings", "Workload", "WorkloadError", "WorkloadSettings"]
