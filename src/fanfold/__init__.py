"""Fan out many agents over one shared thing, fold what they made into one result that is right.

The names below are loaded when they are first used: importing `fanfold` itself costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fanfold.agents.protocol import Agent, Assignment, Verdict
    from fanfold.config import FixSettings, load_settings
    from fanfold.engine import Done, Failed, Limit, Outcome, fan_out, fold, stream, values
    from fanfold.errors import FanfoldError
    from fanfold.fix.checkers.protocol import Checked, Checker, Scope
    from fanfold.fix.findings.finding import Finding
    from fanfold.fix.findings.plan import Request
    from fanfold.fix.reporting.report import Report
    from fanfold.fix.run import run
    from fanfold.runtimes import Flow, get_context

__version__ = "0.1.0"

__all__ = [
    "Agent",
    "Assignment",
    "Checked",
    "Checker",
    "Done",
    "Failed",
    "FanfoldError",
    "Finding",
    "FixSettings",
    "Flow",
    "Limit",
    "Outcome",
    "Report",
    "Request",
    "Scope",
    "Verdict",
    "__version__",
    "fan_out",
    "fold",
    "get_context",
    "load_settings",
    "run",
    "stream",
    "values",
]

_HOMES = {
    "fanfold.agents.protocol": ("Agent", "Assignment", "Verdict"),
    "fanfold.config": ("FixSettings", "load_settings"),
    "fanfold.engine": ("Done", "Failed", "Limit", "Outcome", "fan_out", "fold", "stream", "values"),
    "fanfold.errors": ("FanfoldError",),
    "fanfold.fix.checkers.protocol": ("Checked", "Checker", "Scope"),
    "fanfold.fix.findings.finding": ("Finding",),
    "fanfold.fix.findings.plan": ("Request",),
    "fanfold.fix.reporting.report": ("Report",),
    "fanfold.fix.run": ("run",),
    "fanfold.runtimes": ("Flow", "get_context"),
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module 'fanfold' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
