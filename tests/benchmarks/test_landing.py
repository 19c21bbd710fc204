"""The benchmark of landing: its simulation is of the real queue, and its floor can be missed."""

from __future__ import annotations

import pytest

import landing


def test_table_is_told_and_the_floor_held(capsys: pytest.CaptureFixture[str]) -> None:
    assert landing.main(["--seeds", "3"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in told if "% |" in line] == ["| 0%", "| 1%", "| 5%", "| 20%"]


def test_floor_can_be_missed() -> None:
    row = {f"files, {arrival}": landing.Sample([22], [0]) for arrival in landing.ARRIVALS}
    assert landing._judged(row, 64) == 1
    assert landing._judged(row, 96) == 0


def test_plain_bisection_runs_each_half_of_what_is_red() -> None:
    assert landing.bisected(range(4), lambda _: False) == 1
    assert landing.bisected(range(4), {3}.__contains__) == 5
