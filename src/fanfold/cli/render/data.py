"""The report as JSON; docs/report.md describes every key."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from fanfold.cli.output import decodable
from fanfold.fix.reporting.report import Report

SCHEMA_VERSION = 1


def render_json(report: Report) -> str:
    """One JSON object, keys in the order of docs/report.md; undecodable bytes of a path are spelled `\\xNN`."""
    return json.dumps(report_data(report), indent=2) + "\n"


def report_data(report: Report) -> dict[str, Any]:
    """The report as what JSON can hold."""
    measured = {
        "findings_before": report.findings_before,
        "findings_after": report.findings_after,
        "agent_s": report.agent_s,
        "usage": None if report.usage is None else asdict(report.usage),
        "tasks_s": report.tasks_s,
        "average_s": report.average_s,
        "speedup": report.speedup,
        "unchecked": report.unchecked,
        "exit_code": report.exit_code,
    }
    told: dict[str, Any] = plain({"schema_version": SCHEMA_VERSION, **asdict(report), **measured})
    return told


def plain(value: Any) -> Any:
    """A value with lists for tuples, and with undecodable bytes spelled out."""
    if isinstance(value, str):
        return decodable(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value
