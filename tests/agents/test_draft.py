from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from fanfold.agents.draft import Draft, Edit, Fix, FixId, Lines, changed_lines

TEXT = st.text(alphabet="ab \n\r\té𝄞", max_size=40)


@st.composite
def texts_and_fixes(draw: st.DrawFn) -> tuple[str, list[Fix]]:
    text = draw(TEXT)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=8, unique=True)))
    pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
    contents = draw(st.lists(st.text("xyz\n", max_size=5), min_size=len(pairs), max_size=len(pairs)))
    return text, [
        Fix(FixId(start, 0, f"R{start}"), (Edit(start, end, content),))
        for (start, end), content in zip(pairs, contents, strict=True)
    ]


def plainly(text: str, fixes: list[Fix]) -> str:
    for fix in sorted(fixes, key=lambda fix: fix.edits[0].start, reverse=True):
        edit = fix.edits[0]
        text = text[: edit.start] + edit.content + text[edit.end :]
    return text


@given(texts_and_fixes())
def test_edits_change_what_they_say(case: tuple[str, list[Fix]]) -> None:
    text, fixes = case
    assert Draft.of(text).apply(fixes).text == plainly(text, fixes)


@given(texts_and_fixes())
def test_kept_text_knows_its_place_in_the_base(case: tuple[str, list[Fix]]) -> None:
    text, fixes = case
    for piece in Draft.of(text).apply(fixes).pieces:
        if piece.kept:
            assert text[piece.base : piece.base + len(piece.text)] == piece.text


@given(texts_and_fixes())
def test_what_a_fix_wrote_is_laid_at_it(case: tuple[str, list[Fix]]) -> None:
    text, fixes = case
    draft = Draft.of(text).apply(fixes)
    shift = 0
    for fix in fixes:
        edit = fix.edits[0]
        start = edit.start + shift
        assert fix.id in draft.ids_between(start, start + len(edit.content))
        shift += len(edit.content) - (edit.end - edit.start)


@given(TEXT, TEXT)
def test_changed_lines_make_the_new_text(old: str, new: str) -> None:
    assert Draft.of(old).rewritten(new).text == new
    assert changed_lines(old, old) == []


def changing(functions: int) -> float:
    """Seconds of this process for the edits of a file in which each function changes."""
    old = "".join(
        f"def f{n}(x):\n    if x == None:\n        return {n}\n    return None\n\n\n" for n in range(functions)
    )
    began_s = time.process_time()
    assert len(changed_lines(old, old.replace("==", "is"))) == functions
    return time.process_time() - began_s


def test_a_file_ten_times_as_long_takes_about_ten_times_as_long() -> None:
    """Nothing else goes on meanwhile: a deadline and Ctrl-C wait for it."""
    assert changing(1_200) < 40 * max(changing(120) for _ in range(3))


def test_a_finding_keeps_its_identity_when_text_before_it_moves() -> None:
    draft = Draft.of("one\ntwo\nthree\n")
    before = draft.id_at("R", draft.text.index("three"))
    moved = draft.apply([Fix(FixId(0, 0, "X"), (Edit(0, 4, ""),))])
    assert moved.id_at("R", moved.text.index("three")) == before


def test_a_finding_in_written_text_keeps_its_identity_when_that_text_is_cut() -> None:
    draft = Draft.of("a\n").apply([Fix(FixId(0, 0, "X"), (Edit(0, 1, "one two three"),))])
    before = draft.id_at("R", draft.text.index("three"))
    cut = draft.apply([Fix(FixId(0, 1, "Y"), (Edit(0, 3, ""),))])
    assert cut.id_at("R", cut.text.index("three")) == before


def test_equal_edits_of_two_fixes_are_made_once() -> None:
    edit = Edit(0, 0, "import typing\n")
    draft = Draft.of("x\n").apply([Fix(FixId(0, 0, "A"), (edit,)), Fix(FixId(0, 0, "B"), (edit,))])
    assert draft.text == "import typing\nx\n"
    assert {one.rule for one in draft.ids_between(0, 3)} == {"A", "B"}


def test_an_insertion_at_the_end_stands_on_the_last_line_of_the_base() -> None:
    draft = Draft.of("a\nb").apply([Fix(FixId(3, 0, "W292"), (Edit(3, 3, "\n"),))])
    assert draft.text == "a\nb\n"
    assert draft.base_line_at(3) == 2


def test_lines_end_as_pythons_do() -> None:
    lines = Lines.of("a\r\nb\rc\n\x0cd")
    assert [lines.number(offset) for offset in (0, 3, 5, 7)] == [1, 2, 3, 4]
    assert lines.offset(3, 1) == 5
    assert lines.offset(99, 1) == lines.length
