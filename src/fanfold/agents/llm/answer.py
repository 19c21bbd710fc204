"""What a model answers with: edits, as data or in words."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, Field

from fanfold.agents.llm.outline import Node, statements
from fanfold.llm import Refused

MOST_EDITS = 100
PATH = "Its file, if another one than that of the findings may be changed, too."


class Replacement(BaseModel):
    """Text of a file that gives place to other text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    search: str = Field(description="Text copied exactly from the file, long enough to occur once; no line numbers.")
    replace: str = Field(description="What is to stand in its place.")
    line: int | None = Field(default=None, description="The line where it begins, if it occurs more than once.")
    path: str = Field(default="", description=PATH)


class Definition(BaseModel):
    """A whole function or class, written anew."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="Its qualified name, such as Account.close.")
    code: str = Field(description="Its complete new source under the same name, decorators included.")
    path: str = Field(default="", description=PATH)


class Edits(BaseModel):
    """Edits, all of them referring to the text that was shown; none where there is no good fix."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    replacements: list[Replacement] = Field(default_factory=list, max_length=MOST_EDITS)
    definitions: list[Definition] = Field(default_factory=list, max_length=MOST_EDITS)
    note: str = Field(default="", description="In one sentence what was done, or why nothing could be.")


_BLOCK = re.compile(
    r"^<{5,9} *(?:SEARCH|DEFINITION +(?P<name>[\w.]+))(?P<path>[^\n]*)\n"
    r"(?P<search>.*?)^={5,9}[ \t]*\n"
    r"(?P<replace>.*?)^>{5,9}[ \t]*REPLACE",
    re.MULTILINE | re.DOTALL,
)
_BEGIN = re.compile(r"^<{5,9} *(?:SEARCH|DEFINITION)", re.MULTILINE)
_FENCED = re.compile(r"^[ \t]*(`{3,})[^\n`]*\n(.*?)^[ \t]*\1[ \t]*$", re.MULTILINE | re.DOTALL)


def in_words(text: str) -> Edits:
    """The edits of an answer in plain text: marked blocks, or code blocks that each hold one function or class.

    Raises:
        Refused: there are none, or one isn't finished.
    """
    text = text.replace("\r\n", "\n")
    blocks = list(_BLOCK.finditer(text))
    if len(blocks) < len(_BEGIN.findall(text)):
        raise Refused("A block isn't finished: each needs its lines <<<<<<<, ======= and >>>>>>> REPLACE.")
    if blocks:
        return _edits(blocks)
    fenced = fenced_code(text)
    if re.search(r"^\W*NONE\W*$", text, re.MULTILINE) and not fenced:
        return Edits(note="the model knows no fix")
    named = [(name, code) for code in fenced if (name := _defined(code))]
    if not named or len(named) < len(fenced):
        raise Refused("There is no block of the form that was asked for in the answer.")
    return Edits(definitions=[Definition(name=name, code=code) for name, code in named])


def fenced_code(text: str) -> list[str]:
    """What stands in the code blocks of an answer, of each of them."""
    return [match[2] for match in _FENCED.finditer(text)]


def _edits(blocks: list[re.Match[str]]) -> Edits:
    return Edits(
        replacements=[
            Replacement(search=_unfenced(one["search"]), replace=_unfenced(one["replace"]), path=_path(one["path"]))
            for one in blocks
            if one["name"] is None
        ],
        definitions=[
            Definition(name=one["name"], code=_unfenced(one["replace"]), path=_path(one["path"]))
            for one in blocks
            if one["name"]
        ],
    )


def _path(told: str) -> str:
    """The path at the end of a block's first line; what else may stand there is none."""
    told = told.strip(" \t:`'\"")
    return told if re.fullmatch(r"\S*[./]\S*\w", told) else ""


def _unfenced(text: str) -> str:
    """Without the code fence that some models put around what they copy."""
    inside = fenced_code(text)
    return inside[0] if len(inside) == 1 and not _FENCED.sub("", text).strip() else text


def _defined(code: str) -> str | None:
    """The name of the one function or class that the code is."""
    try:
        body = statements(code.strip("\n"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return body[0].name if len(body) == 1 and isinstance(body[0], Node) else None
