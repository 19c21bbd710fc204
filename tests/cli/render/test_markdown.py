from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from fanfold.cli.output import Quoted
from fanfold.cli.render.markdown import code, render_markdown
from fanfold.cli.render.story import tell_story
from fanfold.fix.reporting.report import Report, RuleCount

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table"])
ANY_TEXT = st.text(st.one_of(st.characters(exclude_categories=()), st.sampled_from("`|\\<@[]*_\n")), min_size=1)
OURS = {"text", "softbreak", "hardbreak", "strong_open", "strong_close", "code_inline"}


def markdown(report: Report) -> str:
    return render_markdown(tell_story(report))


def inline(text: str) -> list[Token]:
    return [child for token in PARSER.parse(text) for child in token.children or []]


def test_summary_is_the_first_paragraph(report: Report) -> None:
    assert markdown(report).startswith("## Fanfold\n\n**Fixed 1 of 3 files and 1 in part: 12 findings → 3**")


def test_files_and_rules_are_tables(report: Report) -> None:
    tokens = [token.type for token in PARSER.parse(markdown(report))]
    assert tokens.count("table_open") == 2
    assert "| `a.py` | fixed | 6 | 0 | 12.0 s |" in markdown(report)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=ANY_TEXT)
def test_quoted_text_is_never_markup(report: Report, text: str) -> None:
    tasks = (replace(report.tasks[0], path=text, reasons=(text,)),)
    told = markdown(replace(report, tasks=tasks, rules=(RuleCount("ruff", text, 1, 0),), files=(), notes=(text,)))
    tokens = PARSER.parse(told)
    assert {token.type for token in inline(told)} <= OURS
    assert [token.type for token in tokens].count("tr_open") == 4
    cells = [token.type for token in tokens].count("td_open")
    assert cells == 5 + 3
    assert not [token for token in tokens if token.type in {"html_block", "fence", "code_block"}]


@given(text=ANY_TEXT.filter(str.isprintable).filter(lambda text: "##[" not in text and "::" not in text))
def test_code_span_shows_the_text_itself(text: str) -> None:
    (span,) = inline(f"a {code(Quoted(text))} b")[1:2]
    assert span.type == "code_inline"
    assert span.content.strip() == text[:400].strip() or len(text) > 400
