from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.cli.output import decodable, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 漢", "plain é 漢"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202etxt.exe", "\\u202etxt.exe"),
        ("\u2028", "\\u2028"),
        (os.fsdecode(b"\xff.py"), "\\xff.py"),
        ("\U000e0041", "\\U000e0041"),
        ("::error::x", "\\::error::x"),
        ("  ::error::x", "  \\::error::x"),
        ("see ##[error]x", "see ##\\[error]x"),
        ("a::b", "a::b"),
    ],
)
def test_what_a_terminal_or_a_runner_would_obey_is_spelled_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text(st.characters(exclude_categories=())))
def test_shown_text_is_one_printable_line(text: str) -> None:
    shown = visible(text)
    assert shown.isprintable()
    assert not shown.lstrip().startswith("::")
    assert "##[" not in shown
    shown.encode()


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_becomes_unicode(text: str) -> None:
    decodable(text).encode()


@given(st.binary())
def test_any_file_name_becomes_unicode(name: bytes) -> None:
    decodable(name.decode("utf-8", "surrogateescape")).encode()
