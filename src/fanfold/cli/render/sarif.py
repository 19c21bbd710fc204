"""The remaining findings as SARIF 2.1.0: one run for each checker.

Source: OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0.
"""

from __future__ import annotations

import json
import urllib.parse
from typing import Any

from fanfold.cli.output import decodable
from fanfold.fix.findings.finding import Finding
from fanfold.fix.reporting.report import CheckerLine, Report

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
FINGERPRINT = "fanfold/v1"


def render_sarif(report: Report) -> str:
    """A SARIF log; a checker that could not check has an invocation that failed, and no results."""
    checkers = {line.name: line for line in report.checkers}
    for finding in report.remaining:
        checkers.setdefault(finding.checker, CheckerLine(finding.checker, None, 0))
    runs = [_run(line, [one for one in report.remaining if one.checker == line.name]) for line in checkers.values()]
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": runs}, indent=2) + "\n"


def _run(line: CheckerLine, findings: list[Finding]) -> dict[str, Any]:
    rules = {one.rule: one for one in reversed(findings)}
    places = {rule: index for index, rule in enumerate(sorted(rules))}
    driver: dict[str, Any] = {"name": decodable(line.name), "rules": [_rule(rules[rule]) for rule in places]}
    if line.version is not None:
        driver["version"] = decodable(line.version)
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(line)],
    }
    if line.error is None or findings:  # absent results say "not known", an empty list says "clean"
        run["results"] = [_result(finding, places[finding.rule]) for finding in findings]
    return run


def _rule(finding: Finding) -> dict[str, Any]:
    rule: dict[str, Any] = {"id": decodable(finding.rule)}
    return {**rule, "helpUri": _uri(finding.url)} if finding.url else rule


def _invocation(line: CheckerLine) -> dict[str, Any]:
    if line.error is None:
        return {"executionSuccessful": True}
    notification = {"level": "error", "message": {"text": decodable(line.error) or "could not check"}}
    return {"executionSuccessful": False, "toolExecutionNotifications": [notification]}


def _result(finding: Finding, rule_index: int) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": decodable(finding.rule),
        "ruleIndex": rule_index,
        "level": finding.severity,
        "message": {"text": decodable(finding.message)},
        "locations": [{"physicalLocation": _place(finding)}],
    }
    if finding.fingerprint:
        result["partialFingerprints"] = {FINGERPRINT: finding.fingerprint}
    return result


def _place(finding: Finding) -> dict[str, Any]:
    path = urllib.parse.quote(_bytes(finding.path))
    place: dict[str, Any] = {"artifactLocation": {"uri": path, "uriBaseId": "%SRCROOT%"}}
    region = {
        "startLine": finding.line,
        "startColumn": finding.column,
        "endLine": finding.end_line,
        "endColumn": finding.end_column,
    }
    known = {name: value for name, value in region.items() if value is not None and value >= 1}
    return {**place, "region": known} if "startLine" in known else place


def _bytes(path: str) -> bytes:
    """The bytes that a path has in the file system; a checker may also name one that none can have."""
    try:
        return path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return decodable(path).encode()


def _uri(url: str) -> str:
    return urllib.parse.quote(decodable(url), safe=":/?#[]@!$&'()*+,;=%~")
