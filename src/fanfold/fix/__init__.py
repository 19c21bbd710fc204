"""`fanfold fix`: find a codebase's errors, let agents fix them side by side, land what is verified."""

import importlib
from typing import TYPE_CHECKING

from fanfold.fix.errors import FixError
from fanfold.fix.findings.finding import Finding
from fanfold.fix.findings.plan import Request
from fanfold.fix.reporting.report import Report
from fanfold.fix.run import run

if TYPE_CHECKING:
    from fanfold.fix.state import FileState
    from fanfold.fix.stomper import StomperState, StomperWorkflow, StomperWorkflowParallel, WorkflowConfig

__all__ = [
    "FileState",
    "Finding",
    "FixError",
    "Report",
    "Request",
    "StomperState",
    "StomperWorkflow",
    "StomperWorkflowParallel",
    "WorkflowConfig",
    "run",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'fanfold.fix' has no attribute {name!r}")
    home = "fanfold.fix.state" if name == "FileState" else "fanfold.fix.stomper"
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
