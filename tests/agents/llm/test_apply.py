"""Edits are made all or not at all: each at the one place that it means, and the file stays Python."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.agents.llm.answer import Definition, Edits, Replacement
from fanfold.agents.llm.apply import applied
from fanfold.agents.llm.text import Text
from fanfold.llm import Refused

SOURCE = '''\
import os


class Account:
    """An account."""

    @property
    def balance(self):
        return self._balance

    def close(self):
        """Close it.

        For good.
        """
        text = """
kept
  as it is
"""
        return text


def close(account):
    return account.close()


def twice(value):
    return close(value), close(value)
'''


def make(tmp_path: Path, edits: Edits, source: str = SOURCE, name: str = "m.py") -> str:
    path = tmp_path / name
    path.write_bytes(source.encode())
    file = Text.open(tmp_path, name)
    for text in applied(edits, [file]).values():
        file.write(text)
    return path.read_bytes().decode()


def search(search: str, replace: str, line: int | None = None) -> Edits:
    return Edits(replacements=[Replacement(search=search, replace=replace, line=line)])


def define(name: str, code: str) -> Edits:
    return Edits(definitions=[Definition(name=name, code=code)])


def test_text_that_occurs_once_gives_place(tmp_path: Path) -> None:
    assert make(tmp_path, search("import os\n\n\n", "")) == SOURCE.removeprefix("import os\n\n\n")


def test_no_edits_leave_the_text_as_it_is(tmp_path: Path) -> None:
    assert make(tmp_path, Edits(note="nothing can be done")) == SOURCE


@pytest.mark.parametrize(
    ("edits", "why"),
    [
        (search("close(", "shut("), "occurs 5 times in 'm.py', at lines 11, 23, 24, 28, 28"),
        (search("import sys", ""), "is not in 'm.py'"),
        (search("", "x = 1"), "empty"),
        (search("import os", "import os"), "change nothing"),
        (search("import os", "import ("), r"can't be parsed any more as Python 3\.\d+: "),
        (define("Account.open", "def open(self): ..."), "no function or class 'Account.open'"),
        (define("Account.close", "def close(self:\n"), "can't be parsed"),
        (define("Account.close", "def shut(self): ..."), "must be a function named close"),
        (define("Account", "def Account(): ..."), "must be a class named Account"),
        (define("Account.balance", "def balance(self): return 1"), "lacks its decorators: @property"),
        (define("twice", "def twice(v): ...\nx = 1"), "alone"),
        (Edits(**{**dict(search("import os", "")), "definitions": [Definition(name="no", code="")]}), "'no'"),
    ],
)
def test_an_edit_that_isnt_possible_is_refused_with_the_reason(tmp_path: Path, edits: Edits, why: str) -> None:
    with pytest.raises(Refused, match=why.replace("(", r"\(")):
        make(tmp_path, edits)
    assert (tmp_path / "m.py").read_text() == SOURCE


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    edits = Edits(
        replacements=[Replacement(search="import sys", replace=""), Replacement(search="import os", replace="")],
        definitions=[Definition(name="nobody", code="def nobody(): ...")],
    )
    with pytest.raises(Refused, match=r"(?s)import sys.*nobody"):
        make(tmp_path, edits)
    assert (tmp_path / "m.py").read_text() == SOURCE


def test_the_line_tells_which_of_several_is_meant(tmp_path: Path) -> None:
    made = make(tmp_path, search("def close(", "def shut(", line=23))
    assert "def close(self)" in made
    assert "def shut(account)" in made


def test_lines_copied_with_their_numbers_are_found(tmp_path: Path) -> None:
    made = make(
        tmp_path, search("   23 | def close(account):\n   24 |     return account.close()", "   23 | close = None")
    )
    assert "\nclose = None\n\n\ndef twice" in made


def test_lines_copied_with_another_depth_and_spaces_at_their_ends_are_found(tmp_path: Path) -> None:
    made = make(tmp_path, search("@property  \ndef balance(self):\n", "@property\ndef balance(self) -> int:\n"))
    assert "    @property\n    def balance(self) -> int:\n        return self._balance\n" in made


def test_the_closest_text_is_told_of_what_isnt_there(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"(?s)at line 28:\n    return close\(value\), close\(value\)"):
        make(tmp_path, search("    return close(value), shut(value)\n", "    return 1\n"))


@pytest.mark.parametrize("depth", [0, 2, 4])
def test_a_whole_function_takes_the_place_of_the_old_one_at_its_depth(tmp_path: Path, depth: int) -> None:
    code = (
        'def close(self) -> str:\n    """Close it.\n\n    For good.\n    """\n    return """\nkept\n  as it is\n"""\n'
    )
    lines = code.splitlines(keepends=True)
    inside = {7, 8, 9}
    given_code = "".join(
        line if number in inside or not line.strip() else " " * depth + line for number, line in enumerate(lines, 1)
    )
    made = make(tmp_path, define("Account.close", given_code))
    assert '    def close(self) -> str:\n        """Close it.\n\n        For good.\n        """\n' in made
    assert '        return """\nkept\n  as it is\n"""\n\n\ndef close(account)' in made
    ast.parse(made)


def test_a_name_without_its_class_is_enough_where_there_is_one(tmp_path: Path) -> None:
    made = make(tmp_path, define("balance", "@property\ndef balance(self) -> int:\n    return 1\n"))
    assert "    def balance(self) -> int:\n        return 1\n" in made


def test_a_name_that_is_defined_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="defined 2 times, at lines 1, 3"):
        make(tmp_path, define("f", "def f(): return 3"), "def f(): return 1\n\ndef f(): return 2\n")


def test_edits_that_overlap_are_refused(tmp_path: Path) -> None:
    edits = Edits(
        replacements=[Replacement(search="return account.close()", replace="return None")],
        definitions=[Definition(name="close", code="def close(account):\n    return None\n")],
    )
    with pytest.raises(Refused, match="overlap at line 24"):
        make(tmp_path, edits)


def test_line_ends_and_the_byte_order_mark_stay_the_files_own(tmp_path: Path) -> None:
    source = "\ufeffimport os\r\n\r\nx = 1\r\n"
    assert make(tmp_path, search("import os\n\nx = 1\n", "x = 2\n"), source) == "\ufeffx = 2\r\n"


def test_a_file_without_a_last_line_end_stays_so(tmp_path: Path) -> None:
    assert make(tmp_path, define("f", "def f() -> int:\n    return 1\n"), "def f():\n    return 1") == (
        "def f() -> int:\n    return 1"
    )


def test_a_file_that_cant_be_parsed_may_be_mended(tmp_path: Path) -> None:
    assert make(tmp_path, search("x = (", "x = ()"), "x = (\n") == "x = ()\n"


def test_text_that_isnt_python_is_edited_by_search_and_replace(tmp_path: Path) -> None:
    assert make(tmp_path, search("var x", "let x"), "var x = {\n", "m.js") == "let x = {\n"
    with pytest.raises(Refused, match="search and replace alone"):
        make(tmp_path, define("x", "def x(): ..."), "var x = {\n", "m.js")


SECRET = "password = 'correct-horse-battery-9'\n"


def test_a_line_with_a_masked_secret_gets_its_secret_back(tmp_path: Path) -> None:
    made = make(tmp_path, search("password = '***'\nx = 1", "password = '***'\nx = 2"), SECRET + "x = 1\n")
    assert made == SECRET + "x = 2\n"


def test_a_mask_is_never_written_in_the_place_of_a_secret(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="stands for a secret"):
        make(tmp_path, search("x = 1", "token = '***'"), SECRET + "x = 1\n")


@given(st.text(alphabet="ab\n \t'\"#():=", max_size=60), st.text(alphabet="ab\n ", max_size=20), st.text(max_size=20))
def test_whatever_is_answered_the_text_stays_whole_or_becomes_what_was_asked(
    tmp_path_factory: pytest.TempPathFactory, source: str, sought: str, replace: str
) -> None:
    try:
        source.encode()
        replace.encode()
    except UnicodeEncodeError:
        return
    path = tmp_path_factory.getbasetemp() / "any.py"
    path.write_bytes(source.encode())
    file = Text.open(path.parent, path.name)
    try:
        made = applied(search(sought, replace), [file]).get(file.path, file.text)
    except Refused:
        return
    if sought in file.text:
        assert made == file.text.replace(sought, replace, 1)
        assert file.text.count(sought) == 1


ORDERS = "from shop import price\n\n\ndef order(count):\n    return price(count, 2)\n"
PRICES = "def price(count):\n    return count * 3\n\n\ndef order():\n    return None\n"
WIDER = "def price(count, factor=3):\n    return count * factor\n"


def make_two(tmp_path: Path, edits: Edits) -> dict[str, str]:
    for path, text in (("orders.py", ORDERS), ("lib/prices.py", PRICES)):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    return applied(edits, [Text.open(tmp_path, "orders.py"), Text.open(tmp_path, "lib/prices.py")])


@pytest.mark.parametrize("path", ["lib/prices.py", "./lib/prices.py", "prices.py", ""])
def test_an_edit_of_another_file_is_made_there(tmp_path: Path, path: str) -> None:
    wider = PRICES.replace("def price(count):\n    return count * 3\n", WIDER)
    assert make_two(tmp_path, Edits(definitions=[Definition(name="price", code=WIDER, path=path)])) == {
        "lib/prices.py": wider
    }
    assert make_two(
        tmp_path, Edits(replacements=[Replacement(search="count * 3", replace="count * 4", path=path)])
    ) == {"lib/prices.py": PRICES.replace("* 3", "* 4")}


def test_an_edit_that_names_no_file_means_the_one_of_the_findings(tmp_path: Path) -> None:
    made = make_two(tmp_path, Edits(definitions=[Definition(name="order", code="def order(count):\n    return 1")]))
    assert list(made) == ["orders.py"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (Replacement(search="count * 3", replace="3", path="lib/third.py"), "'lib/third.py' can't be changed, but"),
        (Replacement(search="count * 3", replace="3", path="orders.py"), "This text is not in 'orders.py'"),
        (Replacement(search="count * 3", replace="count * (", path="prices.py"), "'lib/prices.py' can't be parsed"),
        (Definition(name="price", code="def price(): ...", path="orders.py"), "'orders.py' has no function"),
    ],
)
def test_edits_of_two_files_are_made_in_both_or_in_none(
    tmp_path: Path, wrong: Replacement | Definition, told: str
) -> None:
    right = Replacement(search="price(count, 2)", replace="price(count)")
    edits = (
        Edits(replacements=[right, wrong])
        if isinstance(wrong, Replacement)
        else Edits(replacements=[right], definitions=[wrong])
    )
    with pytest.raises(Refused, match=told.replace("(", r"\(")):
        make_two(tmp_path, edits)
    assert len(make_two(tmp_path, Edits(replacements=[right, Replacement(search="count * 3", replace="count")]))) == 2


def test_code_beside_an_indented_definition_is_refused(tmp_path: Path) -> None:
    code = "    def close(self):\n        pass\nprint('more')\n"
    with pytest.raises(Refused, match="alone"):
        make(tmp_path, Edits(definitions=[Definition(name="Account.close", code=code)]))
