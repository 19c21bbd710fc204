"""The simulation of learning says what it says, and learning does no worse than not to learn."""

from __future__ import annotations

from pathlib import Path

import pytest

import learning


@pytest.mark.parametrize("world", ["can or can't", "the dear one gets better"])
def test_learning_fixes_as_much_for_no_more(world: str, tmp_path: Path) -> None:
    row = learning.row_of(world, [learning.play(world, seed, tmp_path) for seed in range(2)])

    assert row.fixes > 0.99
    assert row.usd_per_fix < learning.MOST_DEARER
    assert row.usd_known < row.usd_set


def test_worse_is_told_by_the_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    args = ["--worlds", "1", "--only", "can or can't", "--out", str(tmp_path)]
    assert learning.main(args) == 0
    monkeypatch.setattr(learning, "MOST_DEARER", 0.1)
    assert learning.main(args) == 1
