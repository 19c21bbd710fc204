"""The benchmark of Stomper's pattern: what it measures is a real run, and its floors can be missed."""

from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import pytest

import stomper

ASKED = Namespace(files=8, wait=5.0, at_once=4)
TOGETHER = stomper.Side(4, "langgraph", wall_s=11.5, agents_s=10.4, peak=4, landed=8, errors_fixed=8)
ALONE = stomper.Side(1, "langgraph", wall_s=42.0, agents_s=40.8, peak=1, landed=8, errors_fixed=8)


@pytest.mark.parametrize("runtime", ["native", pytest.param("langgraph", marks=pytest.mark.soak)])
def test_both_sides_are_real_runs(tmp_path: Path, runtime: str) -> None:
    arguments = ["--files", "2", "--wait", "0.2", "--at-once", "2", "--runtime", runtime, "--out", str(tmp_path)]
    assert stomper.main(arguments) == 1  # no floor is held by files that take so little
    raw = json.loads((tmp_path / "stomper.json").read_text())
    for side, at_once in (("together", 2), ("alone", 1)):
        assert (raw[side]["runtime"], raw[side]["at_once"]) == (runtime, at_once)
        assert 1 <= raw[side]["peak"] <= at_once
        assert (raw[side]["landed"], raw[side]["errors_fixed"]) == (2, 2)
    assert raw["alone"]["agents_s"] >= 0.4
    assert raw["together"]["agents_s"] >= 0.2


def test_floors_hold_where_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert stomper._told(ASKED, TOGETHER, ALONE)
    assert "speed-up 3.65 (at least 3.3), in the agents' phase 3.92 (at least 3.8)" in capsys.readouterr().out


@pytest.mark.parametrize(
    "worse",
    [
        replace(TOGETHER, wall_s=12.5),
        replace(TOGETHER, agents_s=11.0),
        replace(TOGETHER, peak=3),
        replace(TOGETHER, landed=7),
        replace(TOGETHER, errors_fixed=16),
    ],
)
def test_floor_that_is_missed_is_said(worse: stomper.Side, capsys: pytest.CaptureFixture[str]) -> None:
    assert not stomper._told(ASKED, worse, ALONE)
    assert "a floor is missed" in capsys.readouterr().out
