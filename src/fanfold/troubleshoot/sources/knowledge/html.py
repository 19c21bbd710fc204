"""HTML as blocks: headings, paragraphs, list items and rows of tables; what isn't shown is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from fanfold.troubleshoot.sources.knowledge.blocks import LINE_CHARS, Block

_UNSEEN = frozenset({"script", "style", "template", "noscript", "svg", "nav", "button", "select", "object", "iframe"})
_BREAKS = frozenset(
    {"p", "div", "li", "ul", "ol", "tr", "table", "br", "pre", "section", "article", "dt", "dd", "header", "footer"}
    | {"blockquote", "hr", "figure", "main", "aside", "thead", "tbody"}
)
_SPACE = re.compile(r"\s+")


def html_blocks(text: str) -> Iterator[Block]:
    """The blocks of an HTML page; places are lines of its source."""
    reader = _Reader()
    reader.feed(_without_comments(text))
    reader.close()
    reader.end_block()
    yield from reader.blocks


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self._words: list[str] = []
        self._level = 0
        self._unseen = ""
        self._nested = 0
        self._line = 1
        self._mark = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 the parser's
        if self._unseen:
            self._nested += tag == self._unseen
            return
        if tag in _UNSEEN:
            self._unseen, self._nested = tag, 1
        elif level := _heading(tag):
            self.end_block()
            self._level = level
        elif tag == "title":
            self.end_block()
            self._level = 1
        elif tag in _BREAKS:
            self.end_block()
            self._mark = "- " if tag == "li" else ""
        elif tag in ("td", "th"):
            self._words.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if self._unseen:
            self._nested -= tag == self._unseen
            if not self._nested:
                self._unseen = ""
        elif _heading(tag) or tag == "title" or tag in _BREAKS:
            self.end_block()

    def handle_data(self, data: str) -> None:
        if self._unseen:
            return
        if not self._words and data.strip():
            self._line = self.getpos()[0]
        if self._words or data.strip():
            self._words.append(data)

    def end_block(self) -> None:
        """What was read since the last block becomes one."""
        said = _SPACE.sub(" ", "".join(self._words)).strip()[:LINE_CHARS]
        if said:
            self.blocks.append(Block(self._level, said if self._level else self._mark + said, str(self._line)))
        self._words, self._level, self._mark = [], 0, ""


def _without_comments(text: str) -> str:
    """Without comments and declarations; the parser needs quadratic time where they don't end. Lines stay."""
    parts: list[str] = []
    at = 0
    while (begin := text.find("<!", at)) >= 0:
        close = "-->" if text.startswith("<!--", begin) else ">"
        end = text.find(close, begin + 2)
        end = len(text) if end < 0 else end + len(close)
        parts += [text[at:begin], "\n" * text.count("\n", begin, end)]
        at = end
    return "".join((*parts, text[at:]))


def _heading(tag: str) -> int:
    return int(tag[1]) if len(tag) == 2 and tag[0] == "h" and tag[1] in "123456" else 0
