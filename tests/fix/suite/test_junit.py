"""What became of each test, read from a file that the project's own runner wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from fanfold.fix.suite.junit import JUnitError, read_cases


def report(path: Path, inside: str) -> Path:
    path.write_text(f'<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite>{inside}</testsuite></testsuites>')
    return path


def test_each_status_is_read(tmp_path: Path) -> None:
    inside = """
        <testcase classname="a" name="good"/>
        <testcase classname="a" name="bad"><failure message="x">long</failure></testcase>
        <testcase classname="a" name="setup"><error message="x"/></testcase>
        <testcase classname="a" name="left"><skipped/></testcase>
        <testcase classname="" name="a.module"><error message="collection failure"/></testcase>
        <testcase name="bare"/>
    """
    assert read_cases(report(tmp_path / "r", inside)) == {
        "a::good": "passed",
        "a::bad": "failed",
        "a::setup": "error",
        "a::left": "skipped",
        "a.module": "error",
        "bare": "passed",
    }


def test_of_several_marks_the_worst_counts(tmp_path: Path) -> None:
    inside = '<testcase name="t"><failure/><error/></testcase><testcase name="u"><skipped/><failure/></testcase>'
    assert read_cases(report(tmp_path / "r", inside)) == {"t": "error", "u": "failed"}


def test_same_name_twice_keeps_both_the_worst_first(tmp_path: Path) -> None:
    inside = '<testcase name="t"/><testcase name="t"><failure/></testcase><testcase name="t"/>'
    assert read_cases(report(tmp_path / "r", inside)) == {"t": "failed", "t (2)": "passed", "t (3)": "passed"}


def test_a_single_suite_may_be_the_root(tmp_path: Path) -> None:
    (tmp_path / "r").write_text('<testsuite><testcase name="t"/></testsuite>')
    assert read_cases(tmp_path / "r") == {"t": "passed"}


def test_output_that_talks_of_failures_is_no_failure(tmp_path: Path) -> None:
    inside = '<testcase name="t"><system-out><![CDATA[<failure/>]]> &lt;error/&gt;</system-out></testcase>'
    assert read_cases(report(tmp_path / "r", inside)) == {"t": "passed"}


def test_marks_outside_of_a_test_belong_to_none(tmp_path: Path) -> None:
    assert read_cases(report(tmp_path / "r", '<testcase name="t"/><error/><failure/>')) == {"t": "passed"}


def test_huge_output_is_passed_over(tmp_path: Path) -> None:
    inside = f'<testcase name="t"><system-out>{"x" * 5_000_000}</system-out></testcase>'
    assert read_cases(report(tmp_path / "r", inside)) == {"t": "passed"}


BROKEN = {
    "missing": (None, "there is no test report"),
    "empty": ("", "not XML"),
    "cut off": ("<testsuites><testsuite><testcase", "not XML"),
    "unclosed": ("<testsuites><testsuite>", "not XML"),
    "other text": ("all tests passed", "not XML"),
    "other XML": ("<html/>", "no JUnit file: it starts with <html>"),
    "entities": (
        '<!DOCTYPE t [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><testsuites><testcase name="&b;"/></testsuites>',
        "document type declaration",
    ),
    "external entity": (
        '<!DOCTYPE t [<!ENTITY a SYSTEM "file:///etc/hostname">]><testsuites>&a;</testsuites>',
        "document type declaration",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_file_that_is_no_report_is_an_error(case: str, tmp_path: Path) -> None:
    text, words = BROKEN[case]
    if text is not None:
        (tmp_path / "r").write_text(text)
    with pytest.raises(JUnitError, match=words):
        read_cases(tmp_path / "r")


def test_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JUnitError, match="more than 10"):
        read_cases(report(tmp_path / "r", ""), max_bytes=10)
