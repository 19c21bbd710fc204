"""The template of a line: the same for lines that differ in numbers, ids, paths and times alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.troubleshoot.sources.logs.template import template_of


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("record 17 of /in/a.csv rejected", "record 5 of /data/2024/b_7.csv rejected"),
        ("request 3fa85f64-5717-4562-b3fc-2c963f66afa6 failed", "request 11111111-aaaa-4562-b3fc-000000000000 failed"),
        ("at 2024-12-11 09:00:01,250 lost", "at 2023-01-02 10:11:12 lost"),
        ("10.0.0.1:8080 refused", "192.168.17.4:22 refused"),
        ("at offset 0xdeadbeef", "at offset 0x00ab12"),
        ("user ana@example.com", "user rui.costa@example.org"),
        ("took -1.5 s", "took 20 s"),
        (r"C:\data\x\1.txt is locked", r"D:\work\y2\abc.txt is locked"),
        ("GET https://a.example/x?y=1 failed", "GET https://b.example/ failed"),
    ],
)
def test_what_differs_is_masked(line: str, other: str) -> None:
    assert template_of(line) == template_of(other)


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("file not found", "file not readable"),
        ("disk /a/b is full", "disk is full"),
        ("Memória esgotada", "Memória liberada"),
        ("deadbeef", "feedface"),
    ],
)
def test_what_says_something_else_is_another_template(line: str, other: str) -> None:
    assert template_of(line) != template_of(other)


def test_a_template_can_be_read() -> None:
    assert template_of("registro 17 de /in/a.csv inválido em 09:00:01") == "registro <n> de <path> inválido em <time>"


@given(st.text())
def test_no_text_makes_it_raise_and_control_characters_are_gone(text: str) -> None:
    template = template_of(text)
    assert "\x00" not in template
    assert "\x1b" not in template


SEPARATORS = st.text(st.sampled_from(list("abcFxXzS é/\\:.,-+_@#[]()=%'\"{}<>$T0x")), max_size=12).map(
    lambda text: "".join(letter for letter in text if not letter.isdigit())
)
NUMBERS = st.integers(0, 10**12).map(str)


@given(st.lists(st.tuples(SEPARATORS, NUMBERS, NUMBERS), min_size=1, max_size=12), SEPARATORS)
def test_lines_that_differ_in_numbers_alone_have_the_same_template(parts: list[tuple[str, str, str]], end: str) -> None:
    one = "".join(text + number for text, number, _ in parts) + end
    other = "".join(text + number for text, _, number in parts) + end
    assert template_of(one) == template_of(other)


def test_a_huge_line_is_masked_in_no_time() -> None:
    for piece in ("/a1", "a1-", "1.", "x1@", "0x1f ", "a1b2"):
        assert len(template_of(piece * 200_000)) <= 4_000
