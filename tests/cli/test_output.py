from __future__ import annotations

import os
import pty
import subprocess
import sys

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


def at_a_terminal(data: bytes) -> bytes:
    """What comes out of a terminal that data is written to."""
    ours, theirs = pty.openpty()
    code = f"from fanfold.cli.output import emit_bytes; emit_bytes({data!r})"
    with os.fdopen(ours, "rb", buffering=0) as shown:
        subprocess.run([sys.executable, "-c", code], stdout=theirs, check=True)
        os.close(theirs)
        return shown.read(10_000)


def test_a_diff_steers_no_terminal_and_is_as_it_is_in_a_pipe() -> None:
    data = b"-a = 1\tb\n+a = '\x1b[2J\x9b1m' \xe2\x80\xae\xc3\xa9\n"
    shown = at_a_terminal(data).replace(b"\r\n", b"\n")
    assert shown.decode() == "-a = 1\tb\n+a = '\\x1b[2J\\x9b1m' \\u202e\u00e9\n"
    code = f"from fanfold.cli.output import emit_bytes; emit_bytes({data!r})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == data
