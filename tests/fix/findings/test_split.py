"""One task for each file, most work first, and tests are known as such."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.fix.findings.finding import Finding
from fanfold.fix.findings.split import Layout, is_test, layout_of, split


def finding(path: str, line: int = 1, fixable: Any = None) -> Finding:
    return Finding(path, line, 1, "ruff", "F401", "m", fixable=fixable)


def test_each_file_is_one_task_with_its_findings_by_place() -> None:
    tasks = split([finding("a/x.py", 2), finding("b/x.py"), finding("a/x.py", 1)])
    assert [(task.key, task.path, [one.line for one in task.findings]) for task in tasks] == [
        ("a/x.py", "a/x.py", [1, 2]),
        ("b/x.py", "b/x.py", [1]),
    ]


def test_most_expected_work_comes_first_and_ties_go_by_path() -> None:
    findings = [finding("c.py"), finding("b.py"), finding("many.py"), finding("many.py", 2)]
    findings += [finding("easy.py", line, "safe") for line in range(3)]
    assert [task.path for task in split(findings)] == ["many.py", "b.py", "c.py", "easy.py"]


def test_what_the_checker_fixes_itself_is_less_work() -> None:
    kinds = {"none.py": None, "unsafe.py": "unsafe", "safe.py": "safe"}
    assert [task.path for task in split([finding(path, 1, kind) for path, kind in kinds.items()])] == list(kinds)


@given(
    st.lists(st.builds(finding, st.sampled_from(["a.py", "b.py", "tests/c.py"]), st.integers(0, 9)), max_size=20),
    st.randoms(use_true_random=False),
)
def test_nothing_is_lost_and_the_order_of_findings_doesnt_matter(findings: list[Finding], random: Any) -> None:
    tasks = split(findings)
    assert sorted(one for task in tasks for one in task.findings) == sorted(findings)
    assert len({task.key for task in tasks}) == len(tasks)
    random.shuffle(findings)
    assert split(findings) == tasks


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("tests/helpers.py", True),
        ("pkg/test/data.py", True),
        ("pkg/test_x.py", True),
        ("pkg/x_test.py", True),
        ("conftest.py", True),
        ("pkg/testing.py", False),
        ("pkg/testing/fakes.py", False),
        ("pkg/latest.py", False),
        ("tests.py", False),
        ("contests/a.py", False),
        ("pkg/test_x.txt", False),
    ],
)
def test_tests_are_known_by_folder_or_name(path: str, expected: bool) -> None:
    assert is_test(path) is expected
    assert split([finding(path)])[0].is_test is expected


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "pyproject.toml",
            '[tool.pytest.ini_options]\ntestpaths = ["testing", "src", "."]\npython_files = "check_*.py"\n',
        ),
        ("pyproject.toml", '[tool.pytest]\ntestpaths = ["testing/"]\npython_files = ["check_*.py"]\n'),
        ("pytest.toml", '[pytest]\ntestpaths = ["./testing"]\npython_files = ["check_*.py", "*.py"]\n'),
        ("pytest.ini", "[pytest]\ntestpaths = testing src\npython_files = check_*.py *.py\n"),
        (".pytest.ini", "[pytest]\ntestpaths =\n    testing\n    src\npython_files = check_*.py\n"),
        ("tox.ini", "[pytest]\ntestpaths = testing\npython_files = check_*.py\n"),
        ("setup.cfg", "[tool:pytest]\ntestpaths = testing\npython_files = check_*.py\n"),
    ],
)
def test_tests_are_also_where_pytest_is_told_to_look(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    layout = layout_of(tmp_path)
    assert layout == Layout(folders=("testing",), names=("check_*.py",))
    assert is_test("testing/deep/helpers.py", layout)
    assert is_test("src/check_x.py", layout)
    assert not is_test("src/x.py", layout)


@pytest.mark.parametrize("text", ["", "[tool.pytest.ini_options]\n", "[tool]\npytest = 1\n"])
def test_no_configuration_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert layout_of(tmp_path) == Layout()


def test_folder_of_tests_may_be_a_pattern(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\ntestpaths = packages/*/mytests\n")
    assert is_test("packages/a/mytests/x.py", layout_of(tmp_path))
    assert not is_test("packages/a/src/x.py", layout_of(tmp_path))
