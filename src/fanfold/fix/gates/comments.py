"""The comments of a Python text."""

from __future__ import annotations

import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from fanfold.fix.gates.source import source_of

STRING_OR_COMMENT = re.compile(
    r"""
      \#[^\n]*
    | \"\"\" [^"\\]* (?: (?: \\. | "(?!"") ) [^"\\]* )* \"\"\"
    | ''' [^'\\]* (?: (?: \\. | '(?!'') ) [^'\\]* )* '''
    | " [^\n"\\]* (?: \\. [^\n"\\]* )* "
    | ' [^\n'\\]* (?: \\. [^\n'\\]* )* '
    """,
    re.VERBOSE | re.DOTALL,
)
"""What a `#` may stand in, and what it begins elsewhere."""
NESTED = sys.version_info >= (3, 12)
"""Whether a string may have another one of the same kind in it: an f-string then has code in it, comments too."""
BETWEEN = frozenset({tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT})


@dataclass(frozen=True)
class Comment:
    """A comment with its `#`, and the code before it on its line.

    `follows` tells whether nothing stands between it and the comment before.
    """

    code: str
    text: str
    follows: bool = field(default=False, compare=False)


@lru_cache(maxsize=16)
def comments(text: bytes) -> tuple[Comment, ...] | None:
    """The comments of a text in their order; None where it can't be read as Python."""
    source = source_of(text)
    if source is None or (NESTED and source.has_code_in_strings):
        read = tokens(text)
        return tuple(_of_tokens(read)) if read else None
    return tuple(_of_letters(text.decode(source.encoding))) if b"#" in text else ()


def tokens(text: bytes) -> tuple[tokenize.TokenInfo, ...]:
    """The tokens of a Python text; none where it can't be read."""
    try:
        return tuple(tokenize.tokenize(io.BytesIO(text).readline))
    except (tokenize.TokenError, SyntaxError, ValueError):
        return ()


def _of_letters(letters: str) -> Iterator[Comment]:
    letters = letters.replace("\r\n", "\n").replace("\r", "\n")
    last = 0
    for match in STRING_OR_COMMENT.finditer(letters):
        start, end = match.span()
        if letters[start] == "#":
            code = letters[letters.rfind("\n", 0, start) + 1 : start]
            yield Comment(code, match[0], follows=last > 0 and not letters[last:start].strip(" \t\n\f\\"))
            last = end


def _of_tokens(read: Iterable[tokenize.TokenInfo]) -> Iterator[Comment]:
    follows = False
    for token in read:
        if token.type == tokenize.COMMENT:
            yield Comment(token.line[: token.start[1]], token.string, follows)
        follows = token.type == tokenize.COMMENT or (follows and token.type in BETWEEN)
