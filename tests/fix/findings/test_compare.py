"""Old findings are told from new ones however the lines moved."""

from __future__ import annotations

import difflib

from hypothesis import given
from hypothesis import strategies as st

from fanfold.fix.findings.compare import compare
from fanfold.fix.findings.finding import Finding
from fanfold.git import FileDiff, Hunk


def finding(line: int, rule: str = "F401", *, end: int | None = None, path: str = "a.py") -> Finding:
    return Finding(path, line, 1, "ruff", rule, "message", end_line=end)


def diff(*hunks: tuple[int, int, int, int], path: str = "a.py") -> dict[str, FileDiff]:
    return {path: FileDiff(path, "M", "100644", "100644", hunks=tuple(Hunk(*hunk) for hunk in hunks))}


def test_unchanged_file_matches_itself() -> None:
    result = compare([finding(3), finding(3), finding(9)], [finding(9), finding(3), finding(3)], {})
    assert (result.added, result.gone) == ((), ())
    assert len(result.kept) == 3


def test_finding_below_an_insertion_is_the_same_finding() -> None:
    result = compare([finding(5)], [finding(7)], diff((2, 0, 3, 2)))
    assert (result.added, result.gone) == ((), ())


def test_finding_on_an_unchanged_line_that_was_not_there_is_new() -> None:
    result = compare([finding(5)], [finding(5), finding(8, "F821")], diff((5, 1, 5, 1)))
    assert result.added == (finding(8, "F821"),)


def test_second_finding_of_a_rule_on_an_unchanged_line_is_new() -> None:
    result = compare([finding(5)], [finding(5), finding(5)], {})
    assert len(result.added) == 1


def test_findings_in_hunks_are_counted_by_rule() -> None:
    result = compare([finding(2), finding(3)], [finding(12)], diff((2, 2, 0, 0), (9, 1, 12, 1)))
    assert result.added == ()
    assert result.gone == (finding(3),)


def test_other_rule_in_a_hunk_is_new_even_where_another_went_away() -> None:
    result = compare([finding(2, "ANN201")], [finding(2, "E501")], diff((2, 1, 2, 1)))
    assert result.added == (finding(2, "E501"),)
    assert result.gone == (finding(2, "ANN201"),)


def test_block_whose_first_line_went_away_is_still_the_block() -> None:
    old = finding(3, "I001", end=8)
    now = finding(3, "I001", end=7)
    result = compare([old], [now], diff((3, 1, 2, 0)))
    assert (result.added, result.gone) == ((), ())


def test_finding_of_the_whole_file_stays_when_lines_are_put_above() -> None:
    result = compare([finding(1, "D100"), finding(1)], [finding(1, "D100"), finding(3)], diff((0, 0, 1, 2)))
    assert (result.added, result.gone) == ((), ())


def test_finding_in_another_file_is_new() -> None:
    result = compare([], [finding(4, path="b.py")], diff((1, 1, 1, 1)))
    assert result.added == (finding(4, path="b.py"),)


LINES = st.lists(st.sampled_from("abcd"), max_size=14)


@given(LINES, LINES)
def test_no_change_of_lines_alone_makes_or_hides_a_finding_kind(old: list[str], new: list[str]) -> None:
    """A checker that flags every `a`: what is added or gone is never more than the counts say."""
    base = [finding(number, "A") for number, text in enumerate(old, 1) if text == "a"]
    now = [finding(number, "A") for number, text in enumerate(new, 1) if text == "a"]
    hunks = []
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            hunks.append((i1 + (i2 > i1), i2 - i1, j1 + (j2 > j1), j2 - j1))
    result = compare(base, now, diff(*hunks))
    assert len(base) - len(result.gone) == len(now) - len(result.added) == len(result.kept)
    if len(now) > len(base):
        assert len(result.added) >= len(now) - len(base)


def failure(case: str, path: str = "a.py", line: int = 1, rule: str = "AssertionError") -> Finding:
    return Finding(path, line, 1, "pytest", rule, f"fails ({case})", case=case)


def test_failing_test_is_the_same_wherever_it_fails_now_and_another_one_there_is_new() -> None:
    base = (failure("test_a"), failure("test_b"), failure("test_c"))
    now = (failure("test_a", "b.py", 7, "TypeError"), failure("test_new"), failure("test_c"))
    result = compare(base, now, {})
    assert result.added == (failure("test_new"),)
    assert result.gone == (failure("test_b"),)
    assert set(result.kept) == {(base[0], now[0]), (base[2], now[2])}


def test_failing_tests_and_other_findings_at_one_place_do_not_mix() -> None:
    other = Finding("a.py", 1, 1, "pytest", "AssertionError", "no test's")
    result = compare((failure("test_a"),), (other,), {})
    assert (result.added, result.gone, result.kept) == ((other,), (failure("test_a"),), ())
