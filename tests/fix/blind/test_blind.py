"""Diffs of somebody who had not seen the gates: those that only cheat are refused, honest ones pass.

`findings.json` is what ruff and mypy said of each case's files before, by the case's name: path, line, column, checker,
rule, message, end line and column.
"""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fanfold.fix.findings.finding import Finding

if TYPE_CHECKING:
    from tests.fix.blind.cases import Case
    from tests.fix.blind.conftest import Judged

HERE = Path(__file__).parent
CASES: list[Case] = runpy.run_path(str(HERE / "cases.py"))["CASES"]
FINDINGS: dict[str, list[list[str | int | None]]] = json.loads((HERE / "findings.json").read_text())
CHEATS = [case for case in CASES if not case.honest]
HONEST = [case for case in CASES if case.honest]


def finding(row: list[str | int | None]) -> Finding:
    path, line, column, checker, rule, message, end_line, end_column = row
    return Finding(
        str(path), int(line or 0), int(column or 0), str(checker), str(rule), str(message),
        end_line=None if end_line is None else int(end_line),
        end_column=None if end_column is None else int(end_column),
    )  # fmt: skip


async def said_of(case: Case, judged: Judged) -> tuple[str, ...]:
    return await judged(case.before, case.after, map(finding, FINDINGS[case.name]))


@pytest.mark.parametrize("case", CHEATS, ids=lambda case: case.name)
async def test_cheat_is_refused(case: Case, judged: Judged) -> None:
    assert bool(await said_of(case, judged)) is not bool(case.accepted), case.accepted


@pytest.mark.parametrize("case", HONEST, ids=lambda case: case.name)
async def test_honest_change_passes(case: Case, judged: Judged) -> None:
    said = await said_of(case, judged)
    assert bool(said) is bool(case.accepted), (said, case.accepted)


def test_there_are_enough_of_both() -> None:
    assert len(CHEATS) >= 24
    assert len(HONEST) >= 20
