"""What a model answers with: edits, as data or in words."""

from __future__ import annotations

import ast
import re

from pydantic import BaseModel, ConfigDict, Field

from fanfold.llm import Refused

MOST_EDITS = 100


class Replacement(BaseModel):
    """Text of the file that gives place to other text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    search: str = Field(description="Text copied exactly from the file, long enough to occur once; no line numbers.")
    replace: str = Field(description="What is to stand in its place.")
    line: int | None = Field(default=None, description="The line where it begins, if it occurs more than once.")


class Definition(BaseModel):
    """A whole function or class, written anew."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="Its qualified name, such as Account.close.")
    code: str = Field(description="Its complete new source under the same name, decorators included.")


class Edits(BaseModel):
    """Edits of one file, all of them referring to the text that was shown; none where there is no good fix."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    replacements: list[Replacement] = Field(default_factory=list, max_length=MOST_EDITS)
    definitions: list[Definition] = Field(default_factory=list, max_length=MOST_EDITS)
    note: str = Field(default="", description="In one sentence what was done, or why nothing could be.")


_BLOCK = re.compile(
    r"^<{5,9} *(?:SEARCH|DEFINITION +(?P<name>[\w.]+))[^\n]*\n"
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
            Replacement(search=_unfenced(one["search"]), replace=_unfenced(one["replace"]))
            for one in blocks
            if one["name"] is None
        ],
        definitions=[Definition(name=one["name"], code=_unfenced(one["replace"])) for one in blocks if one["name"]],
    )


def _unfenced(text: str) -> str:
    """Without the code fence that some models put around what they copy."""
    inside = fenced_code(text)
    return inside[0] if len(inside) == 1 and not _FENCED.sub("", text).strip() else text


def _defined(code: str) -> str | None:
    """The name of the one function or class that the code is."""
    try:
        tree = ast.parse(code if not code[:1].isspace() else f"if 1:\n{code}")
    except (SyntaxError, ValueError):
        return None
    first = tree.body[0] if tree.body else None
    body = first.body if code[:1].isspace() and isinstance(first, ast.If) else tree.body
    if len(body) != 1 or not isinstance(body[0], ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return None
    return body[0].name
