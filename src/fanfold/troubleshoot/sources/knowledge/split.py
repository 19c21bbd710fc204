"""Split blocks into entries: one for each heading, with the headings above it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from fanfold.troubleshoot.codes import codes_in
from fanfold.troubleshoot.sources.knowledge.blocks import Block
from fanfold.troubleshoot.sources.knowledge.entry import Entry
from fanfold.troubleshoot.sources.knowledge.terms import folded, words

MAX_CHARS = 3_000
MAX_ENTRIES = 5_000
MAX_STEPS = 12
STEP_CHARS = 300

# Headings of parts: what stands under one of them belongs to the entry above.
_PARTS = frozenset(
    """
    symptom symptoms cause causes root_cause probable_cause resolution fix solution workaround steps what_to_do action
    actions impact timeline prevention description meaning verification escalation diagnosis procedure response
    how_to_fix usual_causes notes sintoma sintomas causa causas causa_raiz resolucao correcao solucao contorno passos
    o_que_fazer acao acoes impacto linha_do_tempo prevencao descricao significado verificacao escalonamento diagnostico
    procedimento como_resolver observacoes
    """.split()  # noqa: SIM905 a table of words
)
_TOLD = re.compile(
    r"(?P<key>Codes?|Cause|Keywords|Asked|C[oó]digos?|Causa|Palavras-chave|Perguntas):[ \t]*(?P<value>.*\S)",
    re.IGNORECASE,
)
_CLASS = re.compile(r"[a-z]+(?:_[a-z]+)*")
_ITEM = re.compile(r"[ \t]{0,12}(?:[-*+•]|\d{1,2}[.)])[ \t]+(?P<said>\S.*)")
_INLINE = re.compile(r"(?<=[.;:])[ \t]+(?=\d{1,2}[.)][ \t]+\S)")


@dataclass(slots=True)
class _Section:
    """A heading and the lines under it, while they are read."""

    level: int
    title: str
    place: str
    trail: tuple[str, ...]
    lines: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    keywords: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    cause: str = ""
    is_empty: bool = True


def entries_of(blocks: Iterable[Block], stem: str) -> list[Entry]:
    """The entries of one document.

    A section titled "Symptom", "Cause", "What to do" or the like belongs to the one above it. Lines `Codes:`, `Cause:`
    (with a class of causes), `Keywords:` and `Asked:` (how people ask for it, with semicolons between) tell about their
    entry. Long sections become several entries.

    Args:
        stem: the file's name without its ending; the title of what has none.
    """
    names: dict[str, int] = {}
    found: list[Entry] = []
    for section in _sections(blocks, stem):
        for entry in _entries(section, stem):
            count = names[entry.name] = names.get(entry.name, 0) + 1
            found.append(entry if count == 1 else _renamed(entry, f"{entry.name}-{count}"))
            if len(found) >= MAX_ENTRIES:
                return found
    return found


def slug(title: str) -> str:
    """A title as part of a name: lower case, without accents, with hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", folded(title)).strip("-")


def _sections(blocks: Iterable[Block], stem: str) -> Iterator[_Section]:
    current = _Section(0, stem, "1", ())
    above: list[tuple[int, str]] = []
    for block in blocks:
        if not block.level:
            _take(current, block.text)
        elif current.level and block.level > current.level and "_".join(words(block.text)) in _PARTS:
            current.lines.append(f"{block.text}:")
            current.is_empty = False
        elif block.text == current.title and current.is_empty:
            continue  # a page's title tag and its first heading
        else:
            yield current
            above = [(level, title) for level, title in above if level < block.level]
            current = _Section(block.level, block.text, block.place, tuple(title for _, title in above))
            above.append((block.level, block.text))
    yield current


def _take(section: _Section, line: str) -> None:
    told = _TOLD.fullmatch(line.strip())
    key = folded(told["key"]) if told else ""
    if told and key.startswith("cod"):
        section.codes += [code.upper() for code in re.split(r"[\s,;]+", told["value"]) if code]
    elif told and key in ("cause", "causa") and _CLASS.fullmatch(told["value"]):
        section.cause = told["value"]
    elif told and key in ("keywords", "palavras-chave"):
        section.keywords.append(told["value"])
    elif told and key in ("asked", "perguntas"):
        section.asked += [said.strip() for said in told["value"].split(";") if said.strip()]
    else:
        section.lines.append(line.rstrip())
        section.is_empty = section.is_empty and not section.lines[-1]


def _entries(section: _Section, stem: str) -> Iterator[Entry]:
    pieces = [] if section.is_empty else _pieces(section.lines)
    pieces = pieces or ([""] if section.keywords or section.codes else [])
    if not pieces:
        return
    in_title = codes_in(section.title)
    explained = [code for code in in_title if _begins_with(section.title, code)]
    codes = tuple(dict.fromkeys([*section.codes, *explained]))
    for number, text in enumerate(pieces, 1):
        title = section.title if number == 1 else f"{section.title} ({number})"
        yield Entry(
            name=f"{stem}#{slug(title)}",
            title=title[:200],
            text=text,
            trail=section.trail,
            place=section.place,
            codes=codes,
            about=tuple(code for code in in_title if code not in codes),
            keywords=" ".join(section.keywords),
            asked=tuple(section.asked) if number == 1 else (),
            cause=section.cause,
            steps=_steps(text),
        )


def _begins_with(title: str, code: str) -> bool:
    return codes_in(title.split(maxsplit=1)[0].rstrip(":,.;")) == (code,) or title.upper().startswith(code)


def _pieces(lines: list[str]) -> list[str]:
    """The text in pieces that aren't too long, cut where a paragraph ends if one does."""
    pieces: list[str] = []
    current = ""
    for part in re.split(r"\n\s*\n", "\n".join(lines)):
        paragraph = part.strip("\n")
        while len(paragraph) > MAX_CHARS:
            at = paragraph.rfind("\n", 1, MAX_CHARS)
            at = at if at > 0 else MAX_CHARS
            pieces += [current, paragraph[:at]]
            current, paragraph = "", paragraph[at:].strip("\n")
        if len(current) + len(paragraph) > MAX_CHARS:
            pieces.append(current)
            current = ""
        current = f"{current}\n\n{paragraph}" if current else paragraph
    return [piece.strip() for piece in (*pieces, current) if piece.strip()]


def _steps(text: str) -> tuple[str, ...]:
    steps: list[str] = []
    is_open = False
    for line in _INLINE.sub("\n", text).splitlines():
        if item := _ITEM.fullmatch(line):
            steps.append(item["said"].strip())
            is_open = True
        elif is_open and line[:1] in (" ", "\t") and line.strip():
            steps[-1] = f"{steps[-1]} {line.strip()}"
        else:
            is_open = False
    return tuple(step[:STEP_CHARS] for step in steps[:MAX_STEPS])


def _renamed(entry: Entry, name: str) -> Entry:
    return replace(entry, name=name)
