"""Documents become entries: one for each heading, with its place, codes, cause and steps."""

from __future__ import annotations

import textwrap

import pytest

from fanfold.troubleshoot.sources.knowledge.blocks import Block, markdown_blocks, page_blocks, text_blocks
from fanfold.troubleshoot.sources.knowledge.entry import Entry
from fanfold.troubleshoot.sources.knowledge.html import html_blocks
from fanfold.troubleshoot.sources.knowledge.split import MAX_CHARS, entries_of


def markdown(text: str) -> list[Entry]:
    return entries_of(markdown_blocks(textwrap.dedent(text)), "book")


def test_an_entry_has_its_heading_those_above_it_and_its_line() -> None:
    entries = markdown(
        """\
        # Billing
        Who to call.
        ## Night
        ### BILL010 stops
        It stops.
        ## Day
        Nothing.
        """
    )
    assert [(entry.name, entry.trail, entry.place, entry.text) for entry in entries] == [
        ("book#billing", (), "1", "Who to call."),
        ("book#bill010-stops", ("Billing", "Night"), "4", "It stops."),
        ("book#day", ("Billing",), "6", "Nothing."),
    ]


def test_what_an_entry_tells_about_itself_is_no_text() -> None:
    entry = markdown(
        """\
        ## File not there
        Codes: fs=35, S213
        Cause: missing_file
        Keywords: arquivo ausente
        Asked: where is my input; cadê o arquivo

        It is missing.
        """
    )[0]
    assert entry.codes == ("FS=35", "S213")
    assert (entry.cause, entry.keywords, entry.text) == ("missing_file", "arquivo ausente", "It is missing.")
    assert entry.asked == ("where is my input", "cadê o arquivo")


def test_a_cause_in_words_is_text_and_no_class() -> None:
    entry = markdown("## X\nCause: the file was empty\n")[0]
    assert (entry.cause, entry.text) == ("", "Cause: the file was empty")


@pytest.mark.parametrize("title", ["Symptom", "What to do", "O que fazer", "Solução", "Root cause"])
def test_parts_belong_to_the_entry_above(title: str) -> None:
    (entry,) = markdown(f"## BILL010 stops\n### {title}\nDo it.\n")
    assert entry.text == f"{title}:\nDo it."


def test_steps_are_the_items_of_lists_with_their_further_lines() -> None:
    (entry,) = markdown("## X\nBefore.\n\n1. first\n   goes on\n2. second\n- third\n\nAfter. 1. inline. 2. too.\n")
    assert entry.steps == ("first goes on", "second", "third", "inline.", "too.")


def test_a_title_that_begins_with_a_code_explains_it_and_others_are_about_it() -> None:
    explains, about = markdown("## S0C7: data exception\na\n## GLX300 abended S0C7 again\nb\n")
    assert (explains.codes, explains.about) == (("S0C7",), ())
    assert (about.codes, about.about) == ((), ("S0C7",))


def test_equal_titles_get_different_names() -> None:
    assert [entry.name for entry in markdown("## A\nx\n## A\ny\n")] == ["book#a", "book#a-2"]


def test_headings_without_text_are_no_entries_and_a_file_without_headings_is_one() -> None:
    assert markdown("# A\n## B\n") == []
    (entry,) = markdown("just text\n")
    assert (entry.name, entry.title, entry.text) == ("book#book", "book", "just text")


def test_a_long_section_is_cut_between_paragraphs_and_loses_nothing() -> None:
    paragraphs = [f"paragraph {number} " + "x" * 500 for number in range(20)]
    entries = markdown("## Long\n" + "\n\n".join(paragraphs))
    assert len(entries) > 2
    assert all(len(entry.text) <= MAX_CHARS for entry in entries)
    assert "\n\n".join(entry.text for entry in entries) == "\n\n".join(paragraphs)


def test_one_endless_line_is_cut() -> None:
    assert all(len(entry.text) <= MAX_CHARS for entry in markdown("## L\n" + "word " * 50_000))


def test_code_and_front_matter_hold_no_headings() -> None:
    blocks = list(markdown_blocks("---\ntitle: x\n---\n```sh\n# comment\n```\n# Real\nUnder\n=====\n"))
    assert blocks == [Block(0, "# comment", "5"), Block(1, "Real", "7"), Block(1, "Under", "8")]


def test_plain_text_has_underlined_numbered_and_shouted_headings() -> None:
    text = "NIGHT SHIFT\n\ntext\n\nWho to call\n-----------\nsomebody\n\n2.1 Backup window\n\nmore\n"
    headings = [(block.level, block.text, block.place) for block in text_blocks(text) if block.level]
    assert headings == [(1, "NIGHT SHIFT", "1"), (2, "Who to call", "5"), (2, "Backup window", "9")] or headings == [
        (1, "NIGHT SHIFT", "1"),
        (2, "Who to call", "5"),
        (2, "2.1 Backup window", "9"),
    ]


def test_sentences_and_steps_are_no_headings() -> None:
    assert [block.level for block in text_blocks("1. Stop the agent.\n\nIt is DOWN now.\n")] == [0, 0, 0]


def test_html_shows_what_a_reader_sees() -> None:
    page = """<html><head><title>Wiki</title><style>h1 {}</style><script>var h = "<h2>no</h2>";</script></head>
    <body><nav><h2>Menu</h2></nav><h1>Wiki</h1>
    <h2>Queue &amp; topic</h2><p>Restart   <b>one</b> instance.</p><ul><li>first</li><li>second</li></ul>
    <table><tr><td>age</td><td>wait</td></tr></table>"""
    (entry,) = entries_of(html_blocks(page), "wiki")
    assert (entry.title, entry.trail, entry.place) == ("Queue & topic", ("Wiki",), "3")
    assert entry.text.splitlines() == ["Restart one instance.", "- first", "- second", "age wait"]
    assert entry.steps == ("first", "second")


def test_broken_html_is_read_as_far_as_it_goes() -> None:
    assert entries_of(html_blocks("<h2>Title<p>text <b>bold</h2 <script>x"), "wiki")


def test_pages_of_a_pdf_are_places() -> None:
    (entry,) = entries_of(page_blocks("1.1 Restart the agent\nStop it.\nStart it.\n", 7), "manual")
    assert entry.place == "page=7"
    assert entry.text == "Stop it.\nStart it."


@pytest.mark.parametrize("begin", ["<!--", "<!", "<![CDATA[", "<!DOCTYPE "])
def test_html_of_comments_that_never_end_is_read_in_time_and_costs_no_more_than_them(begin: str) -> None:
    (entry,) = entries_of(html_blocks("<!-- one\n two --><h2>Title</h2><p>text</p>" + begin * 100_000), "wiki")
    assert (entry.title, entry.text, entry.place) == ("Title", "text", "2")


def test_endlessly_repeated_headings_are_read_in_time() -> None:
    assert entries_of(text_blocks("ONE TITLE\n\n" * 100_000), "book") == []
