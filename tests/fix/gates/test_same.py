"""What both texts have just the same is left out of what gates look at, and says nothing."""

from __future__ import annotations

import ast

import pytest
from tests.fix.gates.test_corpus import Case, files, read

from fanfold.fix import gates
from fanfold.fix.gates.source import Source


class Whole(gates.Edit):
    """A change of which nothing is left out."""

    @property
    def removed(self) -> Source:
        """All of the text before."""
        return self.old

    @property
    def added(self) -> Source:
        """All of the text after."""
        return self.new


CASES = [read(file) for kind in ("cheats", "honest") for file in files(kind)]
PYTHON = [case for case in CASES if case.edit.readable]


def beside(case: Case, neighbour: Case, kind: type[gates.Edit]) -> gates.Edit:
    """The change of one case in a file that has another case's code, too, as it is."""
    before, after = (text + b"\n\n" + neighbour.edit.after for text in (case.edit.before, case.edit.after))
    return kind(case.edit.path, before, after, case.edit.findings, case.edit.is_test)


@pytest.mark.parametrize("shift", [1, 7, 31])
def test_leaving_out_changes_no_reason(shift: int) -> None:
    for case, neighbour in zip(PYTHON, [*PYTHON[shift:], *PYTHON[:shift]], strict=True):
        edit, whole = (beside(case, neighbour, kind) for kind in (gates.Edit, Whole))
        for asked in (gates.refusals, gates.late_refusals):
            assert sorted(asked(edit)) == sorted(asked(whole)), (case, neighbour)


def left(before: str, after: str) -> list[str]:
    """The functions that gates look at."""
    added = gates.Edit("a.py", before.encode(), after.encode()).added
    return [node.name for node in added.of(ast.FunctionDef)]


CODE = "import os\n\nLIMIT = 5\n\n\ndef f():\n    return os.sep * LIMIT\n\n\ndef g():\n    return sum([1])\n"


def test_only_what_changed_is_looked_at() -> None:
    assert left(CODE, CODE.replace("[1]", "[2]")) == ["g"]
    assert left(CODE, CODE + "\n\ndef h(): ...\n") == ["h"]


@pytest.mark.parametrize(
    ("old", "new", "looked_at"),
    [
        ("import os", "import posix as os", ["f"]),
        ("LIMIT = 5", "LIMIT = 500", ["f"]),
        ("LIMIT = 5", "LIMIT = 5\nsum = max", ["g"]),
        ("import os", "import os  # the same", []),
        ("import os", "# coding: latin-1\nimport os", ["f", "g"]),
    ],
)
def test_function_whose_names_mean_something_else_is_looked_at(old: str, new: str, looked_at: list[str]) -> None:
    assert left(CODE, CODE.replace(old, new, 1)) == looked_at


def test_name_is_known_however_its_letters_are_written() -> None:
    code = CODE.replace("os.sep", "\uff4fs.sep")
    assert left(code, code.replace("import os", "import posix as os")) == ["f"]


def test_name_of_a_name_that_means_something_else_does_too() -> None:
    code = "import os\n\nsep = os.sep\nboth = sep\n\n\ndef f():\n    return both\n"
    assert left(code, code.replace("import os", "import posix as os")) == ["f"]
