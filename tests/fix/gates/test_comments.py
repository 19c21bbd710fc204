"""Comments are found without reading every token of a text."""

from __future__ import annotations

import tokenize

import pytest
from tests.fix.gates.test_corpus import files, read

from fanfold.fix.gates.comments import comments, tokens


def told(text: str) -> list[str]:
    return [comment.text for comment in comments(text.encode()) or ()]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x = 1  # one\n# two", ["# one", "# two"]),
        ("x = '# no'  # yes", ["# yes"]),
        ('x = """\n# no\n"""  # yes', ["# yes"]),
        ("x = '\\'# no'  # yes", ["# yes"]),
        ("x = 'a\\\n# no'  # yes", ["# yes"]),
        ("x = r'\\'  # no'", []),
        ("x = ''  # yes", ["# yes"]),
        ("x = '''it's \"# no\"'''  # yes", ["# yes"]),
        ("x = 'a' \"b\"'''c''' # it's", ["# it's"]),
        ("x = 'a\\\r\n# no'  # yes\r\n", ["# yes"]),
        ("# coding: latin-1\nx = 1", ["# coding: latin-1"]),
        ("\ufeff# first", ["# first"]),
    ],
)
def test_comment_is_told_from_a_string(text: str, found: list[str]) -> None:
    assert told(text) == found


def test_code_in_a_string_hides_no_comment() -> None:
    text = "y = 'x'\nx = f\"{'#'}\" + f'{y!r}'  # yes\nz = f'''{y} # no'''\n"
    assert told(text) == ["# yes"]


def test_code_before_a_comment_and_what_follows_are_known() -> None:
    first, second, third = comments(b"# a\n\n    # b\nx = 1  # c\n") or ()
    assert (first.follows, second.follows, third.follows) == (False, True, False)
    assert (second.code, third.code) == ("    ", "x = 1  ")


def test_what_is_no_python_has_no_comments_to_tell() -> None:
    assert comments(b"x = (\n# a") is None


def test_comments_are_those_that_the_tokens_have() -> None:
    edits = [read(file).edit for kind in ("cheats", "honest") for file in files(kind)]
    for text in [text for edit in edits if edit.readable for text in (edit.before, edit.after)]:
        expected = [(one.line[: one.start[1]], one.string) for one in tokens(text) if one.type == tokenize.COMMENT]
        assert [(one.code, one.text) for one in comments(text) or ()] == expected
