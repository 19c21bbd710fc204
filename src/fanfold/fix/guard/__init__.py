"""The import guard: put it into the environment of a run, and read what it reported.

A project may be installed editable into its environment, and the installation points at the main checkout. A run in
a workspace would test the main checkout's code, whatever the workspace holds. The guard is a directory first on
PYTHONPATH whose `sitecustomize` turns imports to the workspace and reports, for each process, what was loaded from
the main checkout all the same. Neither the user's environment nor their checkout is changed.
"""

from fanfold.fix.guard.layout import Guarded, guard_environment
from fanfold.fix.guard.reports import GuardReport, ProcessReport, read_reports

__all__ = ["GuardReport", "Guarded", "ProcessReport", "guard_environment", "read_reports"]
