"""`fanfold fix`: find a codebase's errors, let agents fix them side by side, land what is verified."""

from fanfold.fix.errors import FixError
from fanfold.fix.finding import Finding
from fanfold.fix.plan import Request
from fanfold.fix.report import Report
from fanfold.fix.run import run

__all__ = ["Finding", "FixError", "Report", "Request", "run"]
