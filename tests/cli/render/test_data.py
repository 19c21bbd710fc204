from __future__ import annotations

import json
import os
from dataclasses import fields, replace
from pathlib import Path

from fanfold.cli.render.data import SCHEMA_VERSION, render_json
from fanfold.fix.reporting.report import Report


def test_json_holds_every_field_and_every_measure(report: Report) -> None:
    data = json.loads(render_json(report))
    assert {field.name for field in fields(Report)} <= set(data)
    assert data["schema_version"] == SCHEMA_VERSION
    assert (data["findings_before"], data["findings_after"], data["exit_code"]) == (12, 3, 1)
    assert (data["tasks_s"], data["agent_s"], data["average_s"], data["speedup"]) == (30.0, 21.0, 10.0, 3.0)
    assert data["tasks"][2]["reasons"] == ["test_d.py::test_it no longer passes"]
    assert data["unchecked"] == ["mypy: config file is broken\nsecond line"]


def test_json_is_strict_even_where_a_file_name_is_not_unicode(report: Report) -> None:
    task = replace(report.tasks[0], path=os.fsdecode(b"caf\xe9\n.py"))
    text = render_json(replace(report, tasks=(task,)))
    assert "\\ud" not in text
    assert json.loads(text)["tasks"][0]["path"] == "caf\\xe9\n.py"


def test_every_key_is_documented(report: Report, checkout: Path) -> None:
    documented = (checkout / "docs" / "report.md").read_text()

    def keys(value: object) -> set[str]:
        if isinstance(value, dict):
            return set(value).union(*(keys(item) for item in value.values()))
        return set().union(*(keys(item) for item in value)) if isinstance(value, list) else set()

    missing = {key for key in keys(json.loads(render_json(report))) if f"`{key}`" not in documented}
    assert not missing
