"""Annotations as GitHub Actions reads them from a step's output.

Source: GitHub Docs, Workflow commands for GitHub Actions; the escapes are those of `@actions/core`.
"""

from __future__ import annotations

from fanfold.cli.output import visible
from fanfold.cli.render.summary import summary
from fanfold.fix.findings.finding import Finding
from fanfold.fix.reporting.report import Report

COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}


def render_github(report: Report) -> str:
    """A command for each finding that is left, for each thing that could not be checked, and for the summary."""
    lines = [_finding("new finding: ", one, "error") for one in report.new_findings]
    added = set(report.new_findings)
    lines += [_finding("", one, COMMANDS[one.severity]) for one in report.remaining if one not in added]
    lines += [_command("error", {"title": "Could not check"}, words) for words in report.unchecked]
    told = "\n".join("".join(line) for line in summary(report).lines)
    lines.append(_command("notice", {"title": "Fanfold"}, told))
    return "\n".join(lines) + "\n"


def _finding(start: str, finding: Finding, command: str) -> str:
    properties: dict[str, object] = {"title": f"{finding.checker} {finding.rule}", "file": finding.path}
    if finding.line >= 1:
        properties |= {"line": finding.line, "endLine": finding.end_line or finding.line}
        if finding.column >= 1 and finding.end_line in {None, finding.line}:  # GitHub drops columns over lines
            properties |= {"col": finding.column, "endColumn": finding.end_column or finding.column}
    return _command(command, properties, start + finding.message)


def _command(name: str, properties: dict[str, object], message: str) -> str:
    listed = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
    return f"::{name} {listed}::{_data(message)}"


def _data(text: str) -> str:
    shown = "".join(letter if letter in "\r\n" else visible(letter) for letter in text)
    return shown.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
