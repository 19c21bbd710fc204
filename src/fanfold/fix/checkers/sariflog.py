"""SARIF 2.1.0 as findings: the part of the format that says what is wrong and where.

Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html; sections are named where they decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fanfold.fix.checkers.paths import OutsideTree
from fanfold.fix.checkers.sarifuri import Locator
from fanfold.fix.findings.finding import Finding, Severity

SEVERITIES: Mapping[str, Severity] = {"error": "error", "warning": "warning", "note": "note", "none": "note"}
NOT_A_PROBLEM = frozenset({"pass", "notApplicable", "informational"})
WHOLE_PROJECT = "."
"""The path of a finding that names no file."""
UNREAD = "could-not-check"
"""The rule of a finding that says that the tool couldn't check a file."""

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{(\d+)\}")

Json = Mapping[str, Any]


class NotSarif(Exception):
    """JSON that doesn't have SARIF's shape; says where."""


@dataclass(frozen=True)
class Run:
    """What one run of a SARIF log says.

    `problem` is why the tool didn't succeed by its own account, `outside` are the files that it looked at although
    they aren't in the tree.
    """

    findings: tuple[Finding, ...]
    problem: str | None = None
    outside: tuple[str, ...] = ()
    version: str | None = None


def runs_of(log: object, checker: str, locate: Locator) -> tuple[Run, ...]:
    """The runs of a log, each with what is still wrong: results that are suppressed or passed are left out.

    Args:
        log: the JSON value.
        checker: the name that its findings carry.
        locate: knows the tree.
    Raises:
        NotSarif: the log, or what is needed of it, hasn't the right shape.
    """
    top = _object({"the log": log}, "the log")
    version = top.get("version")
    if not isinstance(version, str) or not version.startswith("2."):
        raise NotSarif(f"its version is {version!r}, not '2.1.0'")
    runs = _objects(top, "runs")
    if not runs:
        raise NotSarif("it has no runs")
    return tuple(_Reader(run, checker, locate.within(_bases(run))).run() for run in runs)


@dataclass(frozen=True)
class _Reader:
    """Reads one run."""

    json: Json
    checker: str
    locate: Locator

    def run(self) -> Run:
        version = _string(self._driver, "semanticVersion") or _string(self._driver, "version")
        problem = _problem(self.json)
        if self.json.get("results") is None:
            # §3.14.23: nothing was computed, which is not the same as nothing found.
            return Run((), problem or "its SARIF has a run without results", version=version)
        findings: list[Finding] = []
        outside: list[str] = []
        for result in (*_objects(self.json, "results"), *_unread(self.json)):
            try:
                findings += [] if _is_settled(result) else [self._finding(result)]
            except OutsideTree as error:
                outside.append(error.path)
        return Run(tuple(findings), problem, tuple(dict.fromkeys(outside)), version)

    @property
    def _driver(self) -> Json:
        return _object(_object(self.json, "tool"), "driver")

    def _finding(self, result: Json) -> Finding:
        rule = self._rule(result)
        place = _object(next(iter(_objects(result, "locations")), {}), "physicalLocation")
        region = _object(place, "region")
        line = _number(region, "startLine")
        path = self._path(_object(place, "artifactLocation"))
        return Finding(
            path=path,
            line=line or 0,
            column=(_number(region, "startColumn") or 1) if line else 0,
            checker=self.checker,
            rule=_rule_id(result) or _string(rule, "id") or "unknown",
            message=self._message(_object(result, "message"), rule),
            severity=_severity(result, rule),
            end_line=(_number(region, "endLine") or line) if line else None,
            end_column=_number(region, "endColumn") if line else None,
            url=_string(rule, "helpUri"),
            related=self._related(result, path),
        )

    def _related(self, result: Json, path: str) -> str | None:
        """The first other file of the tree that a result points at."""
        for location in _objects(result, "relatedLocations"):
            try:
                other = self._path(_object(_object(location, "physicalLocation"), "artifactLocation"))
            except OutsideTree:
                continue
            if other not in (path, WHOLE_PROJECT):
                return other
        return None

    def _path(self, location: Json) -> str:
        index = _number(location, "index")
        if _string(location, "uri") is None and index is not None:
            artifacts = _objects(self.json, "artifacts")
            location = _object(artifacts[index], "location") if index < len(artifacts) else {}
        uri = _string(location, "uri")
        return WHOLE_PROJECT if uri is None else self.locate.path(uri, _string(location, "uriBaseId"))

    def _rule(self, result: Json) -> Json:
        """What the tool says of a result's rule; empty where it says nothing (§3.27.7)."""
        reference = _object(result, "rule")
        component = self._driver
        extension = _number(_object(reference, "toolComponent"), "index")
        if extension is not None:
            extensions = _objects(_object(self.json, "tool"), "extensions")
            component = extensions[extension] if extension < len(extensions) else {}
        rules = _objects(component, "rules")
        index = _number(result, "ruleIndex")
        index = _number(reference, "index") if index is None else index
        if index is not None:
            return rules[index] if index < len(rules) else {}
        named = _rule_id(result)
        by_id = {_string(rule, "id"): rule for rule in reversed(rules)}
        while named and named not in by_id:
            named = named.rpartition("/")[0]  # §3.5.4: CA1000/1 is a case of CA1000
        return by_id.get(named, {})

    def _message(self, message: Json, rule: Json) -> str:
        text = _string(message, "text") or _string(message, "markdown")
        name = _string(message, "id")
        if text is None and name is not None:
            strings = _object(rule, "messageStrings") or _object(self._driver, "globalMessageStrings")
            template = _object(strings, name)
            text = _string(template, "text") or _string(template, "markdown")
        if text is None:
            return _string(_object(rule, "shortDescription"), "text") or ""
        values = message.get("arguments")
        return _filled(text, values) if isinstance(values, list) else text


def _filled(text: str, values: list[object]) -> str:
    """§3.11.5: `{0}` is the first argument, doubled braces are braces."""

    def value(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0][0]
        index = int(match[1])
        return str(values[index]) if index < len(values) else match[0]

    return _PLACEHOLDER.sub(value, text)


def _is_settled(result: Json) -> bool:
    """Whether a result is no problem (any more): passed, gone since the baseline, or suppressed (§3.27.23)."""
    if result.get("kind") in NOT_A_PROBLEM or result.get("baselineState") == "absent":
        return True
    statuses = [suppression.get("status", "accepted") for suppression in _objects(result, "suppressions")]
    return bool(statuses) and all(status == "accepted" for status in statuses)


def _rule_id(result: Json) -> str | None:
    return _string(result, "ruleId") or _string(_object(result, "rule"), "id")


def _severity(result: Json, rule: Json) -> Severity:
    level = _string(result, "level") or _string(_object(rule, "defaultConfiguration"), "level")
    return SEVERITIES.get(level or "warning", "warning")


def _problem(run: Json) -> str | None:
    """Why the tool says that it failed or isn't complete; None where it doesn't say so."""
    failed = [one for one in _objects(run, "invocations") if one.get("executionSuccessful") is False]
    if failed:
        words = [_string(one, key) for one in failed for key in ("exitCodeDescription", "processStartFailureMessage")]
        words += [_said(notice) for invocation in failed for notice in _notices(invocation)]
        said = "; ".join(word for word in words if word)
        return f"its SARIF says that it failed: {said}" if said else "its SARIF says that it failed"
    general = [_said(notice) for notice in _serious(run) if not _objects(notice, "locations")]
    return f"its SARIF says that it is not complete: {'; '.join(general)}" if general else None


def _unread(run: Json) -> list[Json]:
    """Results that say which files the tool couldn't check: without results of their own they'd pass for clean."""
    notices = (notice for notice in _serious(run) if _objects(notice, "locations"))
    return [{**notice, "ruleId": _string(_object(notice, "descriptor"), "id") or UNREAD} for notice in notices]


def _serious(run: Json) -> Iterator[Json]:
    """Notices of the level "error": results are incorrect or incomplete (§3.58.6)."""
    for invocation in _objects(run, "invocations"):
        yield from (notice for notice in _notices(invocation) if notice.get("level") == "error")


def _notices(invocation: Json) -> list[Json]:
    kinds = ("toolConfigurationNotifications", "toolExecutionNotifications")
    return [notice for kind in kinds for notice in _objects(invocation, kind)]


def _said(notice: Json) -> str:
    return _string(_object(notice, "message"), "text") or ""


def _bases(run: Json) -> dict[str, tuple[str | None, str | None]]:
    bases = _object(run, "originalUriBaseIds")
    return {name: (_string(_object(bases, name), "uri"), _string(_object(bases, name), "uriBaseId")) for name in bases}


def _object(parent: Json, key: str) -> Json:
    value = parent.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise NotSarif(f"{key} is no object")
    return value


def _objects(parent: Json, key: str) -> list[Json]:
    value = parent.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise NotSarif(f"{key} is no list of objects")
    return value


def _string(parent: Json, key: str) -> str | None:
    value = parent.get(key)
    if value is not None and not isinstance(value, str):
        raise NotSarif(f"{key} is no string")
    return value


def _number(parent: Json, key: str) -> int | None:
    """A whole number from 0 up; SARIF writes -1 for an index that isn't there."""
    value = parent.get(key)
    if value is None or value == -1:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise NotSarif(f"{key} is {value!r}")
    return value
