"""Findings have an order, and names that stay when their lines move."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fanfold.fix.findings.finding import Finding
from fanfold.fix.findings.fingerprint import with_fingerprints


def finding(path: str = "a.py", line: int = 1, rule: str = "F401", **more: Any) -> Finding:
    return dataclasses.replace(Finding(path, line, 1, "ruff", rule, "m"), **more)


def named(findings: Sequence[Finding], content: bytes) -> list[str]:
    return [one.fingerprint for one in with_fingerprints(findings, lambda _: content)]


def at(lines: Sequence[int]) -> list[Finding]:
    return [finding(line=line) for line in lines]


LINES = st.lists(
    st.sampled_from(["import os", "import os  # x", "x = 1", "", "    pass", "é = 2"]), min_size=1, max_size=20
)


@given(LINES, st.data())
def test_moved_lines_keep_their_fingerprints(lines: list[str], data: st.DataObject) -> None:
    places = sorted(data.draw(st.sets(st.integers(1, len(lines)), min_size=1)))
    moved, now = [], []
    for number, line in enumerate(lines, 1):
        now += data.draw(st.lists(st.sampled_from(["", "# new", "y = 3"]), max_size=3))
        now.append(line)
        if number in places:
            moved.append(len(now))
    assert named(at(places), "\n".join(lines).encode()) == named(at(moved), "\n".join(now).encode())


@given(LINES, st.data())
def test_lines_that_go_away_leave_the_others_names(lines: list[str], data: st.DataObject) -> None:
    places = sorted(data.draw(st.sets(st.integers(1, len(lines)), min_size=1)))
    kept = [n for n in range(1, len(lines) + 1) if n in places or data.draw(st.booleans())]
    now = "\n".join(lines[n - 1] for n in kept).encode()
    assert named(at(places), "\n".join(lines).encode()) == named(at([kept.index(n) + 1 for n in places]), now)


@given(LINES, st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from(["", "    ", "\t"]), st.booleans())
def test_newlines_indentation_and_byte_order_mark_dont_count(
    lines: list[str], newline: str, indent: str, mark: bool
) -> None:
    places = at(range(1, len(lines) + 1))
    now = newline.join(indent + line.replace(" ", "  ") for line in lines).encode()
    assert named(places, "\n".join(lines).encode()) == named(places, b"\xef\xbb\xbf" * mark + now)


FINDINGS = st.lists(
    st.builds(
        finding,
        path=st.sampled_from(["a.py", "b.py", "\udcff.py"]),
        line=st.integers(0, 6),
        rule=st.sampled_from(["F401", "F4", "01"]),
        end_line=st.none() | st.integers(0, 8),
        end_column=st.none() | st.integers(0, 3),
        checker=st.sampled_from(["ruff", "ruffF4"]),
        message=st.text(max_size=3),
        fixable=st.sampled_from([None, "safe", "unsafe"]),
    ),
    max_size=12,
)


@given(FINDINGS, st.randoms(use_true_random=False), st.sampled_from([None, b"", b"x\nx\n\nx\n  x\n", b"\xff\r\r"]))
def test_names_are_unique_and_independent_of_the_order(
    findings: list[Finding], random: Any, text: bytes | None
) -> None:
    result = with_fingerprints(findings, lambda _: text)
    assert [dataclasses.replace(one, fingerprint="") for one in result] == findings
    assert len({one.fingerprint for one in result}) == len(findings)
    shuffled = list(findings)
    random.shuffle(shuffled)
    assert sorted(with_fingerprints(shuffled, lambda _: text)) == sorted(result)


@given(FINDINGS)
def test_findings_can_always_be_sorted(findings: list[Finding]) -> None:
    assert [one.place for one in sorted(findings)] == sorted(one.place for one in findings)


@given(LINES, LINES, st.data())
def test_another_text_is_another_finding(before: list[str], after: list[str], data: st.DataObject) -> None:
    line = data.draw(st.integers(1, min(len(before), len(after))))
    assume(before[line - 1].split() != after[line - 1].split())
    assert named(at([line]), "\n".join(before).encode()) != named(at([line]), "\n".join(after).encode())


@pytest.mark.parametrize("change", [{"path": "b.py"}, {"rule": "F402"}, {"checker": "mypy"}])
def test_another_path_rule_or_checker_is_another_finding(change: dict[str, Any]) -> None:
    (one,) = with_fingerprints([finding()], lambda _: b"x\n")
    (other,) = with_fingerprints([finding(**change)], lambda _: b"x\n")
    assert one.fingerprint != other.fingerprint


def test_the_message_and_the_column_dont_count() -> None:
    (one,) = with_fingerprints([finding(message="defined on line 3")], lambda _: b"x\n")
    (other,) = with_fingerprints([finding(message="defined on line 9", column=7)], lambda _: b"x\n")
    assert one.fingerprint == other.fingerprint


def test_all_lines_of_a_finding_count_but_not_one_that_it_only_touches() -> None:
    long = finding(end_line=3, end_column=1)
    assert named([long], b"a\nb\nc\n") == named([long], b"a\nb\nd\n")
    assert named([long], b"a\nb\nc\n") != named([long], b"a\nx\nc\n")


def test_fingerprints_dont_depend_on_the_process() -> None:
    assert named([finding()], b"import os\n") == ["d7f913be1284668d"]


def test_each_file_is_read_once() -> None:
    read: list[str] = []
    with_fingerprints([finding("b.py"), finding("a.py"), finding("b.py", 2)], read.append)
    assert read == ["a.py", "b.py"]
