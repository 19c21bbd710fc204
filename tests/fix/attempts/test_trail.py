"""What was said and done in attempts: written at once, small, without secrets, each once."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

from fanfold.fix.attempts.trail import MAX_CHARS, Trail, Written, trails_of

TRAIL = Trail(id="1", path="a\udcff.py", number=1, agent="command", started_s=1.5, agent_s=0.5, prompt="fix it",
              transcript="done", summary="done", refused=("F401",), ok=True, fixed=1, reasons=("so",),
              diff="+\udcff\n")  # fmt: skip
SECRET = "ghp_" + "a1" * 18


async def test_what_is_written_is_read_in_order(tmp_path: Path) -> None:
    written = Written(tmp_path / "tasks", {"a": 0, "b": 1})
    for number in range(1, 12):
        await written.keep("a", replace(TRAIL, id=str(number), number=number))
    await written.keep("b", replace(TRAIL, id="of b"))
    assert [trail.number for trail in trails_of(tmp_path / "tasks" / "0")] == list(range(1, 12))
    assert trails_of(tmp_path / "tasks" / "1") == [replace(TRAIL, id="of b")]
    assert trails_of(tmp_path / "tasks" / "2") == []


async def test_one_that_comes_again_is_kept_once_and_a_new_one_beside_it(tmp_path: Path) -> None:
    for id_ in ("1", "2", "1", "3"):
        await Written(tmp_path, {"a": 0}).keep("a", replace(TRAIL, id=id_))
    assert [trail.id for trail in trails_of(tmp_path / "0")] == ["1", "2", "3"]


async def test_only_their_owner_reads_them(tmp_path: Path) -> None:
    await Written(tmp_path / "tasks", {"a": 0}).keep("a", TRAIL)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "tasks").rglob("*")}
    assert modes == {0o700, 0o600}


async def test_secrets_and_the_middle_of_long_texts_are_left_out(tmp_path: Path) -> None:
    long = "a" * MAX_CHARS + "b" * MAX_CHARS
    told = replace(TRAIL, prompt=SECRET, transcript=SECRET, summary=SECRET, error=SECRET, diff=long)
    await Written(tmp_path, {"a": 0}).keep("a", replace(told, reasons=(SECRET,), refused=(SECRET,)))
    text = (tmp_path / "0" / "attempt-1.json").read_text()
    assert SECRET not in text
    assert "characters left out" in text
    (trail,) = trails_of(tmp_path / "0")
    assert len(trail.diff) < MAX_CHARS + 100
    assert (trail.diff[0], trail.diff[-1]) == ("a", "b")


async def test_what_a_killed_process_left_half_written_is_passed_over(tmp_path: Path) -> None:
    written = Written(tmp_path, {"a": 0})
    await written.keep("a", TRAIL)
    (tmp_path / "0" / "attempt-2.json").write_text('{"format": 1, "id"')
    (tmp_path / "0" / "attempt-2.begun").write_text("{")
    assert [trail.id for trail in trails_of(tmp_path / "0")] == ["1"]


async def test_a_disk_that_refuses_fails_no_run(tmp_path: Path) -> None:
    (tmp_path / "tasks").write_text("no folder")
    await Written(tmp_path / "tasks", {"a": 0}).keep("a", TRAIL)
    await Written(tmp_path / "tasks", {}).keep("unknown", TRAIL)
