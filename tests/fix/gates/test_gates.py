"""What a change may not do, whatever the checkers say."""

from __future__ import annotations

from typing import get_args

import pytest

from fanfold.config import settings
from fanfold.fix import gates
from fanfold.fix.findings.finding import Finding
from fanfold.fix.gates import definitions


def found(rule: str, line: int, message: str = "", checker: str = "ruff") -> Finding:
    return Finding("a.py", line, 1, checker, rule, message)


def refused(before: bytes, after: bytes, *findings: Finding) -> tuple[str, ...]:
    return tuple(definitions.check(gates.Edit("a.py", before, after, findings)))


@pytest.mark.parametrize(
    "comment",
    [
        "# noqa", "# noqa: F401", "#NOQA:F401", "# type: ignore", "# type: ignore[arg-type]", "# pylint: disable=all",
        "# pyright: ignore", "# mypy: ignore-errors", "# ruff: noqa", "# nosec", "# pragma: no cover", "# fmt: off",
        "# isort: skip_file", "# ty: ignore[x]", "# flake8: noqa: E501", "# ruff: disable[E501]",
        "# ruff: file-ignore[F401]", "# nosemgrep", "# skipcq", "# pytype: disable=import-error",
    ],
)  # fmt: skip
def test_added_suppression_is_refused(comment: str) -> None:
    assert gates.no_suppression("a.py", b"import os\n", f"import os  {comment}\n".encode())


def test_suppression_that_was_there_may_move() -> None:
    before = b"import os  # noqa: F401\nx = 1\n"
    assert gates.no_suppression("a.py", before, b"x = 2\nimport os  # noqa: F401\n") == ()


def test_decorator_that_switches_type_checks_off_is_a_suppression() -> None:
    assert gates.no_suppression("a.py", b"def f(): ...\n", b"@typing.no_type_check\ndef f(): ...\n")
    assert gates.no_suppression("a.py", b"", b"def no_type_check(): ...\n") == ()


@pytest.mark.parametrize("line", ["x = 1", "import re", "", "pass"])
def test_suppression_that_nothing_needs_does_not_move_to_another_line(line: str) -> None:
    before = f"import os\n{line}  # noqa: F401\n".encode()
    assert gates.no_suppression("a.py", before, f"import os  # noqa: F401\n{line}\n".encode())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("from x import b, a  # noqa: F401", "from x import a, b  # noqa: F401"),
        ("from x import b, a  # noqa: F401", "from x import (  # noqa: F401\n    a,\n    b,\n)"),
        ("try: pass\nexcept:  # noqa: E722\n    pass", "try: pass\nexcept Exception:  # noqa: E722\n    pass"),
        ("# ruff: noqa: F401\nx = 1", "y = 1\n# ruff: noqa: F401\nx = 1"),
    ],
)
def test_suppression_stays_on_a_line_that_is_edited(before: str, after: str) -> None:
    assert gates.no_suppression("a.py", before.encode(), after.encode()) == ()


def test_suppression_may_be_narrowed_but_not_widened() -> None:
    wide, narrow = b"import os  # noqa: F401, E501\n", b"import os  # noqa: F401\n"
    assert gates.no_suppression("a.py", wide, narrow) == ()
    assert gates.no_suppression("a.py", narrow, wide)
    assert gates.no_suppression("a.py", narrow, b"import os  # noqa\n")


def test_words_in_a_string_are_no_suppression() -> None:
    assert gates.no_suppression("a.py", b"", b"x = '# noqa'\n") == ()


def test_suppression_in_a_file_that_is_no_python_is_seen() -> None:
    assert gates.no_suppression("a.ts", b"let x\n", b"// @ts-ignore\nlet x\n")
    assert gates.no_suppression("a.js", b"x\n", b"x // eslint-disable-line no-undef\n")


def test_broken_python_can_not_hide_a_suppression() -> None:
    assert gates.no_suppression("a.py", b"", b"def (:\n    x  # noqa\n")


TESTS = b"""
class TestThing:
    def test_one(self):
        assert 1 and 2
        self.assertEqual(1, 1)

def test_two():
    with pytest.raises(ValueError):
        raise ValueError
"""


def test_unchanged_tests_pass() -> None:
    assert gates.keeps_tests(TESTS, TESTS) == ()


def test_removed_test_is_named() -> None:
    assert gates.keeps_tests(TESTS, TESTS.replace(b"def test_two", b"def helper")) == ("removes the test test_two",)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"self.assertEqual(1, 1)", b"pass"),
        (b"assert 1 and 2", b"assert 1"),
        (b"pytest.raises(ValueError)", b"contextlib.suppress(ValueError)"),
        (b"def test_two", b"@pytest.mark.skip\ndef test_two"),
    ],
)
def test_weakened_test_is_refused(old: bytes, new: bytes) -> None:
    assert gates.keeps_tests(TESTS, TESTS.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"assert 1 and 2", b"assert 1\n        assert 2"),
        (b"self.assertEqual(1, 1)", b"assert 1 == 1"),
        (b"raise ValueError", b"raise ValueError()"),
    ],
)
def test_equal_rewriting_of_a_test_passes(old: bytes, new: bytes) -> None:
    assert gates.keeps_tests(TESTS, TESTS.replace(old, new)) == ()


def test_case_of_a_parametrized_test_may_not_go() -> None:
    before = b"@pytest.mark.parametrize('x', [1, 1, 2])\ndef test_a(x):\n    assert x\n"
    assert gates.keeps_tests(before, before.replace(b"1, 1, ", b"1, ")) == ("has fewer cases of the test test_a",)
    assert gates.keeps_tests(before, before.replace(b"[1, 1, 2]", b"(1, 1, 2)")) == ()


def test_unused_variable_named_like_an_assertion_may_go() -> None:
    before = b"def test_a():\n    failed = run()\n    assert True\n"
    assert gates.keeps_tests(before, before.replace(b"failed = ", b"")) == ()


@pytest.mark.parametrize("source", [b"x = (\n", b"\x00", b"def f():\nreturn 1\n"])
def test_what_does_not_compile_is_said_why(source: bytes) -> None:
    assert gates.syntax_problem(source)


def test_warning_of_the_compiler_is_no_problem() -> None:
    assert gates.syntax_problem(b"x = '\\d'\nassert (1, 'x')\n") is None


DEFINED = b"import os\n\n\nclass A:\n    def f(self):\n        x = 1\n\n\n@cache\ndef g():\n    return 1\n"


@pytest.mark.parametrize(
    ("after", "gone"),
    [
        (b"", "all of the code"),
        (DEFINED[: DEFINED.index(b"@cache")], "g"),
        (DEFINED.replace(b"    def f(self):\n        x = 1\n", b"    pass\n"), "A.f"),
    ],
)
def test_code_may_not_be_fixed_by_taking_it_away(after: bytes, gone: str) -> None:
    assert any(reason.startswith(f"removes {gone}") for reason in refused(DEFINED, after, found("F401", 1)))


def test_definition_that_nobody_needs_may_go() -> None:
    after = DEFINED.replace(b"@cache\ndef g():\n    return 1\n", b"")
    assert refused(DEFINED, after, found("reportUnusedFunction", 10)) == ()
    assert refused(DEFINED, after, found("D103", 10))


def test_definition_may_get_the_name_that_a_finding_asks_for() -> None:
    after = DEFINED.replace(b"def g", b"def h")
    assert refused(DEFINED, after, found("N802", 10, "Function name `g` should be lowercase")) == ()
    assert refused(DEFINED, after, found("N802", 10, "Function name `f` should be lowercase"))


def test_one_of_two_definitions_of_a_name_may_go() -> None:
    twice = b"if x:\n    def f(): pass\nelse:\n    def f(): pass\n"
    assert refused(twice, b"def f(): pass\n") == ()


def test_file_of_unused_imports_may_become_empty() -> None:
    assert refused(b"import os\n", b"", found("F401", 1)) == ()


def test_settings_know_every_gate() -> None:
    assert get_args(settings.Gate) == gates.NAMES


def test_open_gate_refuses_nothing() -> None:
    edit = gates.Edit("a.py", b"import os\n", b"import os  # noqa\n")
    assert gates.refusals(edit) == ("silences a checker instead of fixing: noqa (gate suppressions)",)
    assert gates.refusals(edit, gates.Policy(allow=frozenset({"suppressions"}))) == ()


def test_lines_that_a_change_may_touch_are_limited() -> None:
    edit = gates.Edit("a.py", b"x = 1\n", b"x = 1\n" + b"y = 1\n" * 30)
    assert gates.refusals(edit) == ()
    assert gates.refusals(edit, gates.Policy(max_lines=29)) == ("changes 30 lines, 29 are allowed (gate size)",)
    assert gates.refusals(gates.Edit("a.txt", b"", b"a\n" * 300))
