"""Baselines as files, and which findings they mean."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.fix.errors import FixError
from fanfold.fix.findings import knownfile
from fanfold.fix.findings.finding import Finding
from fanfold.fix.findings.fingerprint import with_fingerprints
from fanfold.fix.findings.knownfile import Entry, match, read_baseline, write_baseline


def finding(line: int, rule: str = "F401", path: str = "a.py", checker: str = "ruff") -> Finding:
    return Finding(path, line, 1, checker, rule, "m")


def named(text: str, *findings: Finding) -> tuple[Finding, ...]:
    return with_fingerprints(findings, lambda _: text.encode())


def entries(*findings: Finding) -> tuple[Entry, ...]:
    return tuple(Entry(one.path, one.checker, one.rule, one.fingerprint) for one in findings)


def test_what_is_written_is_read_again_and_does_not_depend_on_order_or_lines(tmp_path: Path) -> None:
    findings = named("a\nb\nb\n", finding(1), finding(2), finding(3))
    moved = named("\n\na\nb\nb\n", finding(3), finding(4), finding(5))
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    assert write_baseline(first, findings) == 3
    assert write_baseline(second, reversed(moved)) == 3
    assert first.read_bytes() == second.read_bytes()
    assert set(read_baseline(first, tmp_path)) == set(entries(*findings))
    assert len(first.read_text().splitlines()) == 5


def test_a_file_of_nothing_is_a_baseline_too(tmp_path: Path) -> None:
    assert write_baseline(tmp_path / "b.json", ()) == 0
    assert read_baseline(tmp_path / "b.json", tmp_path) == ()


def test_odd_paths_come_back(tmp_path: Path) -> None:
    odd = replace(finding(1, path="caf\udce9\n'.py"), fingerprint="0" * 16)
    write_baseline(tmp_path / "b.json", [odd])
    assert read_baseline(tmp_path / "b.json", tmp_path) == entries(odd)


def test_moved_lines_are_known_and_edited_ones_are_new() -> None:
    old = named("import os\nimport re\n", finding(1), finding(2))
    now = named("# first\nimport os\nimport re, x\n", finding(2), finding(3))
    matched = match(now, entries(*old))
    assert matched.known == {now[0]}
    assert [one.fingerprint for one in matched.gone] == [old[1].fingerprint]


def test_of_equal_lines_as_many_are_known_as_there_were() -> None:
    old = named("x\nx\n", finding(1), finding(2))
    now = named("x\nx\nx\n", finding(1), finding(2), finding(3))
    assert match(now, entries(*old)).known == set(now[:2])
    assert len(match(old, entries(*now)).gone) == 1


@given(st.lists(st.sampled_from("ab"), max_size=6), st.lists(st.sampled_from("ab"), max_size=6))
def test_known_are_for_each_text_the_smaller_number_of_both(before: list[str], after: list[str]) -> None:
    old = named("\n".join(before), *(finding(line) for line in range(1, len(before) + 1)))
    now = named("\n".join(after), *(finding(line) for line in range(1, len(after) + 1)))
    matched = match(now, entries(*old))
    same = sum(min(before.count(text), after.count(text)) for text in "ab")
    assert len(matched.known) == same
    assert len(matched.gone) == len(before) - same


def test_without_fingerprints_those_at_the_same_line_are_meant_first() -> None:
    now = named("a\nb\nc\nd\n", finding(1), finding(2), finding(3), finding(4, "E722"))
    told = [Entry("a.py", "Ruff", "F401", line=3), Entry("a.py", "Ruff", "F401", line=99), Entry("b.py", "x", "F401")]
    matched = match(now, told)
    assert now[2] in matched.known
    assert len(matched.known) == 2
    assert matched.gone == (told[2],)


def sarif(*results: dict[str, Any], name: str = "Ruff") -> str:
    runs = [{"tool": {"driver": {"name": name}}, "results": list(results)}]
    return json.dumps({"version": "2.1.0", "runs": runs})


def result(rule: str, path: str, line: int, **more: Any) -> dict[str, Any]:
    place = {"artifactLocation": {"uri": path}, "region": {"startLine": line}}
    return {"ruleId": rule, "message": {"text": "m"}, "locations": [{"physicalLocation": place}], **more}


def test_sarif_of_any_tool_is_a_baseline(tmp_path: Path) -> None:
    suppressed = result("F401", "b.py", 1, suppressions=[{"kind": "inSource"}])
    file = tmp_path / "log.sarif"
    file.write_text(sarif(result("F401", "src/a%20b.py", 3), suppressed))
    assert read_baseline(file, tmp_path) == (Entry("src/a b.py", "Ruff", "F401", "", 3),)


def test_our_own_sarif_has_fingerprints(tmp_path: Path) -> None:
    file = tmp_path / "log.sarif"
    file.write_text(
        sarif(result("F401", "a.py", 3, partialFingerprints={"fanfold/v1": "0123456789abcdef"}), name="ruff")
    )
    assert read_baseline(file, tmp_path) == (Entry("a.py", "ruff", "F401", "0123456789abcdef", 3),)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "neither a baseline nor a report"),
        ("3", "can't be understood"),
        ('{"findings": []}', "neither a baseline nor a report"),
        ('{"fanfold_baseline": 2, "findings": []}', "this Fanfold knows 1"),
        ('{"fanfold_baseline": 1, "findings": [{"path": "a"}]}', "can't be understood"),
        ('{"fanfold_baseline": 1, "findings": [{"path": 1, "checker": "", "rule": "", "fingerprint": ""}]}', "texts"),
        (
            '{"fanfold_baseline":1,"findings":[{"path":"","checker":"","rule":"","fingerprint":"","line":1e999}]}',
            "can't be understood",
        ),
        ('{"version": "2.1.0", "runs": 3}', "can't be understood"),
        ('{"version": "2.1.0", "runs": [{"tool": null, "results": []}]}', "can't be understood"),
    ],
)
def test_what_is_no_baseline_is_told_with_what_one_may_be(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "b.json"
    file.write_text(text)
    with pytest.raises(FixError, match=r"the baseline .*b\.json") as raised:
        read_baseline(file, tmp_path)
    assert words in raised.value.message
    assert "SARIF" in (raised.value.hint or "")


def test_a_baseline_that_is_not_there_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(FixError, match="No such file") as raised:
        read_baseline(tmp_path / "b.json", tmp_path)
    assert "--write-baseline" in (raised.value.hint or "")
    with pytest.raises(FixError, match="can't be written"):
        write_baseline(tmp_path / "nowhere" / "b.json", ())


def test_a_baseline_of_more_than_it_may_have_is_refused_and_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(knownfile, "MAX_BYTES", 1000)
    file = tmp_path / "b.json"
    write_baseline(file, ())
    file.write_bytes(file.read_bytes().ljust(1000))
    assert read_baseline(file, tmp_path) == ()
    with file.open("ab") as longer:
        longer.write(b" ")
    with pytest.raises(FixError, match=r"b\.json has more than 1,000 bytes") as raised:
        read_baseline(file, tmp_path)
    assert "--write-baseline" in (raised.value.hint or "")


@pytest.mark.parametrize("place", ["/dev/zero", "pipe", "."])
def test_what_is_no_file_is_not_read_and_not_waited_for(tmp_path: Path, place: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FixError, match="is no regular file"):
        read_baseline(tmp_path / place, tmp_path)


def test_a_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "profile").write_text("mine")
    (tmp_path / "b.json").symlink_to(tmp_path / "profile")
    with pytest.raises(FixError, match="is a link"):
        write_baseline(tmp_path / "b.json", ())
    assert (tmp_path / "profile").read_text() == "mine"


def test_many_of_one_rule_in_one_file_are_paired_as_fast_as_few() -> None:
    """As a baseline of a repository may have them: each compared with each would take minutes."""
    told = [Entry("a.py", "Ruff", "F401", line=line) for line in range(100_000, 300_000)]
    now = [finding(line) for line in range(1, 20_000)]
    matched = match(now, told)
    assert len(matched.known) == len(now)
    assert len(matched.gone) == len(told) - len(now)
