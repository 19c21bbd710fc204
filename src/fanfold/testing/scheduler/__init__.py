"""A fake scheduler: the REST APIs of HCL Workload Automation over a plan that is data, with faults where wanted."""

from fanfold.testing.scheduler.plan import Dependency, Plan, PlanError, PlanJob, Run, Workstation

__all__ = ["Dependency", "Plan", "PlanError", "PlanJob", "Run", "Workstation"]
