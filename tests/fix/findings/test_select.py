"""Which findings are worked on, and what is said of the others."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.fix.errors import FixError
from fanfold.fix.findings.finding import Finding
from fanfold.fix.findings.select import Selected, Selection, select
from fanfold.fix.reporting.report import LeftOut


def finding(path: str, line: int = 1, rule: str = "F401", checker: str = "ruff") -> Finding:
    return Finding(path, line, 1, checker, rule, "m")


TRACKED = ("a.py", "src/pkg/b.py", "src/pkg/gen/c.py", "src/other.py", "tests/test_b.py", "ünï côde.py", "new\nline.py")
ALL = tuple(sorted(finding(path) for path in TRACKED))


def chosen(**selection: Any) -> list[str]:
    return [one.path for one in select(ALL, Selection(**selection), tracked=TRACKED).findings]


def test_empty_selection_leaves_nothing_out() -> None:
    assert select(reversed(ALL), Selection(), tracked=TRACKED) == Selected(ALL, ())


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (("a.py",), ["a.py"]),
        (("src/pkg",), ["src/pkg/b.py", "src/pkg/gen/c.py"]),
        (("./src/pkg/",), ["src/pkg/b.py", "src/pkg/gen/c.py"]),
        (("src/pkg/b.py", "tests"), ["src/pkg/b.py", "tests/test_b.py"]),
        (("new\nline.py",), ["new\nline.py"]),
        ((".",), sorted(TRACKED)),
    ],
)
def test_paths_are_files_or_folders(paths: tuple[str, ...], expected: list[str]) -> None:
    assert chosen(paths=paths) == expected


@pytest.mark.parametrize("path", ["src/pk", "b.py", "nowhere", "a.py/x", "src/pkg/b"])
def test_path_that_is_not_tracked_is_the_users_mistake(path: str) -> None:
    with pytest.raises(FixError) as caught:
        chosen(paths=(path,))
    assert path in caught.value.message
    assert "commit new files first" in (caught.value.hint or "")


@pytest.mark.parametrize(("path", "near"), [("b.py", "src/pkg/b.py"), ("src/othr.py", "src/other.py")])
def test_hint_names_the_path_that_was_meant(path: str, near: str) -> None:
    with pytest.raises(FixError) as caught:
        chosen(paths=(path,))
    assert f"did you mean {near}?" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("globs", "matching"),
    [
        (("*.py",), list(TRACKED)),
        (("src/**/*.py",), ["src/pkg/b.py", "src/pkg/gen/c.py", "src/other.py"]),
        (("gen/",), ["src/pkg/gen/c.py"]),
        (("/a.py",), ["a.py"]),
        (("src", "!src/other.py"), ["src/pkg/b.py", "src/pkg/gen/c.py"]),
        (("?n? c*.py",), ["ünï côde.py"]),
        (("new*line.py",), ["new\nline.py"]),
    ],
)
def test_globs_are_gitignores(globs: tuple[str, ...], matching: list[str]) -> None:
    assert chosen(include=globs) == sorted(matching)
    assert chosen(exclude=globs) == sorted(set(TRACKED) - set(matching))


@pytest.mark.parametrize("field", ["include", "exclude"])
def test_glob_that_cannot_be_read_is_the_users_mistake(field: str) -> None:
    with pytest.raises(FixError, match="glob"):
        chosen(**{field: ("!",)})


def test_only_changed_files() -> None:
    assert chosen(only=frozenset({"a.py", "untracked.py"})) == ["a.py"]
    assert chosen(only=frozenset()) == []


def test_rules_are_selected_and_ignored_by_prefix() -> None:
    findings = [finding("a.py", 1, "F401"), finding("a.py", 2, "F841"), finding("a.py", 3, "FURB101")]
    findings.append(finding("a.py", 4, "arg-type", "mypy"))

    def rules(**selection: Any) -> list[str]:
        return [one.rule for one in select(findings, Selection(**selection)).findings]

    assert rules(select=("F",)) == ["F401", "F841"]
    assert rules(select=("F8", "mypy:arg-type")) == ["F841", "arg-type"]
    assert rules(select=("ALL",), ignore=("F", "mypy")) == ["FURB101"]
    assert rules(ignore=("ALL",)) == []


def test_files_are_limited_in_order_of_their_paths() -> None:
    findings = [finding("c.py"), finding("a.py"), finding("a.py", 2), finding("b.py")]
    selected = select(findings, Selection(max_files=1))
    assert [one.path for one in selected.findings] == ["a.py", "a.py"]
    assert selected.left_out == (LeftOut("b.py", "more than 1 file", 1), LeftOut("c.py", "more than 1 file", 1))


def test_findings_are_limited_in_whole_files() -> None:
    findings = [
        finding(path, line) for path, count in {"a.py": 2, "b.py": 3, "c.py": 1}.items() for line in range(count)
    ]
    selected = select(findings, Selection(max_findings=3))
    assert [one.path for one in selected.findings] == ["a.py", "a.py", "c.py"]
    assert selected.left_out == (LeftOut("b.py", "more than 3 findings", 3),)
    assert select(findings, Selection(max_findings=0)).findings == ()


def test_each_reason_is_reported_with_its_count() -> None:
    findings = [
        finding("a.py", 1),
        finding("a.py", 2, "E501"),
        finding("a.py", 3, "E501"),
        finding("gone.py"),
        finding("b.py"),
    ]
    selection = Selection(ignore=("E",), exclude=("b.py",))
    selected = select(findings, selection, tracked=("a.py", "b.py"))
    assert selected.findings == (finding("a.py", 1),)
    assert selected.left_out == (
        LeftOut("a.py", "rule ignored", 2),
        LeftOut("b.py", "excluded", 1),
        LeftOut("gone.py", "not in the base commit", 1),
    )


NAMES = st.sampled_from(TRACKED)
SELECTIONS = st.builds(
    Selection,
    paths=st.lists(NAMES | st.just("src"), max_size=2).map(tuple),
    include=st.lists(st.sampled_from(["*.py", "src/", "!a.py"]), max_size=2).map(tuple),
    exclude=st.lists(st.sampled_from(["gen/", "tests", "a.*"]), max_size=2).map(tuple),
    select=st.lists(st.sampled_from(["F", "ALL", "E5", "ruff:E"]), max_size=2).map(tuple),
    ignore=st.lists(st.sampled_from(["F8", "E501"]), max_size=2).map(tuple),
    max_files=st.none() | st.integers(0, 3),
    max_findings=st.none() | st.integers(0, 8),
    only=st.none() | st.frozensets(NAMES),
)
FINDINGS = st.lists(
    st.builds(finding, path=NAMES, line=st.integers(1, 9), rule=st.sampled_from(["F401", "F841", "E501"])), max_size=30
)


@given(FINDINGS, SELECTIONS, st.randoms(use_true_random=False))
def test_every_finding_is_either_worked_on_or_accounted_for(
    findings: list[Finding], selection: Selection, random: Any
) -> None:
    selected = select(findings, selection, tracked=TRACKED)
    assert len(selected.findings) + sum(one.count for one in selected.left_out) == len(findings)
    assert len({(one.path, one.reason) for one in selected.left_out}) == len(selected.left_out)
    assert selection.max_files is None or len({one.path for one in selected.findings}) <= selection.max_files
    assert selection.max_findings is None or len(selected.findings) <= selection.max_findings
    random.shuffle(findings)
    assert select(findings, selection, tracked=TRACKED) == selected


def test_known_findings_are_left_alone_with_their_reasons_and_count_for_no_limit() -> None:
    findings = (finding("a.py", 1), finding("a.py", 2), finding("b.py", 1), finding("c.py", 1))
    known = {findings[0]: "in the baseline", findings[2]: "not new since main"}
    selected = select(findings, Selection(ignore=("F",), max_files=2), known=known)
    assert selected.left_out == (
        LeftOut("a.py", "in the baseline", 1),
        LeftOut("a.py", "rule ignored", 1),
        LeftOut("b.py", "not new since main", 1),
        LeftOut("c.py", "rule ignored", 1),
    )
    assert select(findings, Selection(max_files=2), known=known).findings == (findings[1], findings[3])


def test_a_file_that_can_not_be_read_may_be_known() -> None:
    broken = finding("a.py", rule="invalid-syntax")
    assert select([broken], Selection(select=("F",)), known={broken: "in the baseline"}).findings == ()
