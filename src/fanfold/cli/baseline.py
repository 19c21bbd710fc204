"""`fanfold fix --write-baseline`: check, and write down what is there instead of fixing it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fanfold.errors import FanfoldError
from fanfold.fix.findings.knownfile import write_baseline
from fanfold.fix.findings.plan import Request
from fanfold.fix.reporting.report import Report

EVERYTHING = {"baseline": None, "only_new": None, "max_files": None, "max_findings": None}
"""What would leave findings out that are to be in a baseline."""


class IncompleteBaseline(FanfoldError):
    """Something could not be checked, so what is there isn't known."""


def request_for_baseline(request: Request) -> Request:
    """The same request as a dry run over all that is there."""
    return replace(request, dry_run=True, settings=request.settings.model_copy(update=EVERYTHING))


def write(file: Path, report: Report) -> str:
    """Write the baseline; what to tell the user.

    Raises:
        IncompleteBaseline: a checker could not check; nothing was written.
        FixError: the file can't be written.
    """
    if report.unchecked:
        raise IncompleteBaseline(
            f"no baseline was written, because not all could be checked: {'; '.join(report.unchecked)}",
            hint="its findings would count as new as soon as it can; name other checkers with --check",
        )
    count = write_baseline(file, report.remaining)
    files = len({finding.path for finding in report.remaining})
    return f"{file}: {count} finding{'' if count == 1 else 's'} in {files} file{'' if files == 1 else 's'}"
