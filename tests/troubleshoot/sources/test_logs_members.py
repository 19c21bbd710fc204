"""Members of the cache's sets may have been written by anyone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fanfold.troubleshoot.sources.logs.line import Line
from fanfold.troubleshoot.sources.logs.members import end_of, line_of, member_of

ODD: tuple[Any, ...] = ([], {}, [[]], {"a": []}, None, 7, -1.5, 10**400, True, "", "x", ["x", {}])


def test_a_line_is_read_as_it_was_written() -> None:
    line = Line(7.0, "warning", "disk is nearly full", "host", "A100", ("E7",), "a.log", 12)
    assert line_of(member_of(line), 7.0, "A100") == line


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("name", ["l", "t", "f", "o", "j", "h", "c"])
def test_a_line_with_odd_values_is_still_one(name: str, value: Any) -> None:
    found = line_of(json.dumps({"m": "it failed", name: value}).encode(), 7.0, "A100")
    assert found is not None
    assert (found.text, found.at) == ("it failed", 7.0)
    assert found.level in ("error", "warning", "info")


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("name", ["s", "f", "ok"])
def test_the_end_of_a_job_with_odd_values_is_one_or_none(name: str, value: Any) -> None:
    found = end_of(json.dumps({"ok": True, "s": 3, name: value}).encode(), 7.0, "A100")
    assert found is None or found.job == "A100"


@pytest.mark.parametrize("member", [b"", b"[" * 100_000, b"7", b'{"m": 7}', b"\xff", b'{"m"'])
def test_what_is_no_line_is_none(member: bytes) -> None:
    assert line_of(member, 7.0, "A100") is None
    assert line_of(b'{"m": "x"}', float("nan"), "A100") is None
