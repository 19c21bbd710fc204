"""No text speaks to those who read the file next instead of about the code, and none looks other than it is."""

from __future__ import annotations

import ast
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator

from fanfold.fix.gates.comments import comments
from fanfold.fix.gates.edit import Edit
from fanfold.fix.gates.source import Source

INSTRUCTION = re.compile(
    r"""
      \b(?:ignore|disregard|forget|override|bypass)\b (?:\W+\w+){0,4} \W+
        (?:instruction|prompt|rule|guideline|finding|warning|direction|polic|constraint)\w*
    | \b(?:ai|llm|agent|assistant|claude|gpt|chatgpt|copilot|codex|gemini|cursor|model|bot|reviewer|linter|verifier)s?\b
        \s* (?:,|:|\W*(?:should|must|may|can|shall|please|do\s+not|don't|need\s+not|are\s+to|is\s+to)\b)
        (?=(?:\W+\w+){0,8} \W+ (?:ignore|skip|approve|accept|trust|assume|fix|leave|report|flag|touch|change|edit|remove
            |delete|run|check|verify|mark|treat|stop|add|disable|reveal|print|send|not|no)\b)
    | \b(?:note|message|instruction|hint|reminder|attention)s?\b \W+ (?:to|for)\b (?:\W+\w+){0,3} \W+
        (?:ai|llm|agent|assistant|model|bot|reviewer|linter|verifier|checker)s?\b
    | \b(?:dear|hey|hello|attention)\b \W+ (?:ai|llm|agent|assistant|model|bot|reviewer)s?\b
    | \b(?:as|you\s+are|acting\s+as)\b \W+ (?:an?|the)\b \W+
        (?:ai|llm|language\s+model|assistant|coding\s+agent|agent)\b
    | \b(?:do\s+not|don't|never|no\s+need\s+to|must\s+not)\b \W+
        (?:report|flag|re-?check|verify|lint|re-?lint|review|re-?open)\b
    | \b(?:mark|treat|consider|report|count)\b (?:\W+\w+){0,4} \W+ as \W+
        (?:fixed|clean|verified|resolved|approved|done|passed|safe|false\s+positives?)\b
    | \b(?:already|was|been|is|are)\b \W+ (?:fully\s+)? (?:verified|approved|reviewed|vetted)\b
        (?=.{0,60}\b(?:skip|no\s+(?:further|need)|leave|land|merge|agent|ai|approve)\b)
    | <\s*/?\s*(?:system|assistant|instructions?|user|human|im_start|im_end)\s*> | \[/?INST\] | <\|im_(?:start|end)\|>
    | \b(?:agent|ai|llm|assistant|model|bot|reviewer)s?\b (?:[^\w.;!?]+\w+){0,6} [^\w.;!?]+ (?:must|should|shall)\b
        (?:[^\w.;!?]+\w+){0,3} [^\w.;!?]+ (?:ignore|skip|approve|accept|trust|assume|leave|stop
            |disable|report|mark|treat)\b
    | \b(?:skip|ignore|bypass|disable)\b (?:\W+\w+){0,2} \W+ (?:verification|checkers?|checks|linters?|linting|review)\b
    | ^\W*(?:system|assistant|human)\s*:\s*\w
    """,
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
HIDDEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad\u180e\U000e0000-\U000e007f]")


def check(edit: Edit) -> Iterator[str]:
    """No comment or text that instructs an agent, and no character that hides or turns round what stands there."""
    before, after = edit.before.decode("utf-8", "replace"), edit.after.decode("utf-8", "replace")
    if not after.isascii() and len(HIDDEN.findall(after)) > len(HIDDEN.findall(before)):
        yield "adds characters that can't be seen"
    there, here = (
        Counter(_texts(text, source, readable=edit.readable))
        for text, source in ((edit.before, edit.old), (edit.after, edit.new))
    )
    known = Counter(_normal(text) for text in (there - here).elements())
    for text in (here - there).elements():
        said = _normal(text)
        if known[said]:
            known[said] -= 1
        elif (match := INSTRUCTION.search(said)) and not _said_before(match.group(), before):
            yield f"speaks to those who come next: {' '.join(match.group().split())[:80]!r}"


def _said_before(words: str, before: str) -> bool:
    return " ".join(words.split()).lower() in " ".join(_normal(before).split()).lower()


def _texts(text: bytes, source: Source, *, readable: bool) -> Iterator[str]:
    """Comments, one after another as one text, and strings; all lines of what can't be read as Python."""
    if not readable:
        yield from text.decode("utf-8", "replace").splitlines()
        return
    yield from (node.value for node in source.of(ast.Constant) if isinstance(node.value, str))
    block: list[str] = []
    for comment in comments(text) or ():
        if block and not comment.follows:
            yield "\n".join(block)
            block = []
        block.append(comment.text.lstrip("#! "))
    if block:
        yield "\n".join(block)


def _normal(text: str) -> str:
    """A text as it reads: letters of other widths are plain ones, hidden characters are none."""
    return HIDDEN.sub("", unicodedata.normalize("NFKC", text)).replace("\u2019", "'").replace("_", " ")
