"""An answer as text: plain Markdown, in the language of the question."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from fanfold.troubleshoot.actions import proposed
from fanfold.troubleshoot.answer import Answer, Claim, Hypothesis
from fanfold.troubleshoot.ask import title
from fanfold.troubleshoot.evidence import Answered, Evidence
from fanfold.troubleshoot.incident import Language
from fanfold.troubleshoot.state import ParallelState

SHOWN_HYPOTHESES = 3
SHOWN_UNCITED = 8
SHOWN_LINES = 5
SHOWN_CHARS = 300
STARTER = "starter:"
"""What references to the starter set of knowledge begin with; it is in English."""

_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_NO_TAG = "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}"

_TITLES: Final[Mapping[Language, Mapping[str, str]]] = {
    "en": {
        "cause": "Likely cause",
        "other": "Other possible causes",
        "blast": "What it holds up",
        "next": "Next steps",
        "commands": "Then, if you want it done",
        "prevention": "Prevention",
        "evidence": "Evidence",
        "missing": "Not known",
        "sources": "Sources",
        "against": "against it",
        "lines": "and {} more lines",
        "at": "at",
        "piece": "1 piece",
        "pieces": "{} pieces",
        "starter": "",
        "raw": "The results could not be put together; here they are as they came",
    },
    "pt": {
        "cause": "Causa provável",
        "other": "Outras causas possíveis",
        "blast": "O que fica parado",
        "next": "Próximos passos",
        "commands": "Depois, se for o caso",
        "prevention": "Prevenção",
        "evidence": "Evidências",
        "missing": "O que não se sabe",
        "sources": "Fontes",
        "against": "contra ela",
        "lines": "e mais {} linhas",
        "at": "em",
        "piece": "1 evidência",
        "pieces": "{} evidências",
        "starter": " (em inglês)",
        "raw": "Não foi possível reunir os resultados; aqui estão como vieram",
    },
}


def told(answer: Answer) -> str:
    """The whole answer as Markdown: summary, cause, consequences, next steps, and the evidence with its ids."""
    titles = _TITLES[answer.incident.language]
    blocks = [_safe(answer.summary)]
    if answer.hypotheses:
        shown_ones = [_hypothesis(one, titles) for one in answer.hypotheses[:SHOWN_HYPOTHESES]]
        blocks.append(_block(titles["cause"], shown_ones[:1]))
        blocks.append(_block(titles["other"], shown_ones[1:]))
    for name, claims in (
        ("blast", answer.blast_radius),
        ("next", answer.next_steps),
        ("prevention", answer.prevention),
    ):
        blocks.append(_block(titles[name], map(_claim, claims)))
    blocks.append(_block(titles["commands"], map(code, proposed(answer))))
    blocks.append(_block(titles["missing"], map(_safe, answer.missing)))
    shown = _shown(answer)
    places = _places(shown)
    blocks.append(_block(titles["evidence"], (_evidence(piece, places, titles) for piece in shown)))
    blocks.append(_block(titles["sources"], (_source(one, places, titles) for one in answer.sources)))
    return "\n\n".join(block for block in blocks if block) + "\n"


def plain(markdown: str) -> str:
    """The same for a terminal or a pipe: without what only Markdown needs."""
    lines = (_HEADING.sub(r"\1:", line) for line in markdown.splitlines())
    return "".join(_CODE.sub(r"\2", line) + "\n" for line in lines)


_HEADING = re.compile(r"^## (.*)$")
_CODE = re.compile(r"(?<!`)(`+) ?(.+?) ?\1(?!`)")


def raw(state: ParallelState) -> str:
    """What the sources came to, as it is."""
    language = state.get("entities", {}).get("language", "en")
    results = json.dumps(state.get("parallel_results", []), indent=2, ensure_ascii=False, default=str)
    return f"{_TITLES[language]['raw']}:\n\n```json\n{results}\n```\n"


def _block(heading: str, lines: Iterable[str]) -> str:
    listed = "\n".join(f"- {line}" for line in lines)
    return f"## {heading}\n\n{listed}" if listed else ""


def _hypothesis(hypothesis: Hypothesis, titles: Mapping[str, str]) -> str:
    against = f"; {titles['against']}: {', '.join(hypothesis.against)}" if hypothesis.against else ""
    return f"{_safe(hypothesis.text)} [{', '.join(hypothesis.evidence)}] ({hypothesis.confidence:.0%}{against})"


def _claim(claim: Claim) -> str:
    return f"{_safe(claim.text)} [{', '.join(claim.evidence)}]"


def _shown(answer: Answer) -> Sequence[Evidence]:
    """Evidence that is cited, in the order of its ids; where nothing is, the first that there is."""
    cited = {
        cited
        for group in (answer.hypotheses[:SHOWN_HYPOTHESES], answer.blast_radius, answer.next_steps, answer.prevention)
        for entry in group
        for cited in (*entry.evidence, *getattr(entry, "against", ()))
    }
    found = tuple(evidence for evidence in answer.evidence if evidence.id in cited)
    # Runbooks that merely sound alike tell nothing of what happened here.
    telling = [piece for piece in answer.evidence if piece.kind != "runbook" or piece.facts.get("exact") is True]
    return sorted(found, key=_number) if found else telling[:SHOWN_UNCITED]


def _number(piece: Evidence) -> int:
    digits = piece.id[1:]
    return int(digits) if digits.isdecimal() else 0


def _places(shown: Iterable[Evidence]) -> Mapping[str, str]:
    """By source, the one place that all of its evidence is from: said once, and not with each piece."""
    places: dict[str, list[str]] = {}
    for piece in shown:
        places.setdefault(piece.source, []).append(piece.reference)
    return {name: ones[0] for name, ones in places.items() if len(ones) > 1 and ones[0] and len(set(ones)) == 1}


def _evidence(evidence: Evidence, places: Mapping[str, str], titles: Mapping[str, str]) -> str:
    first, *more = [line for line in evidence.text.splitlines() if line.strip()] or [""]
    is_told = not evidence.reference or evidence.source in places
    where = "" if is_told else f" ({code(evidence.reference)})"
    # What the starter set says stays as it was written.
    where += titles["starter"] if evidence.reference.startswith(STARTER) else ""
    shown = [f"{evidence.id} {title(evidence.source)}: {code(first)}{where}", *map(code, more[:SHOWN_LINES])]
    if len(more) > SHOWN_LINES:
        shown.append(titles["lines"].format(len(more) - SHOWN_LINES))
    return "\n  - ".join(shown)


def _source(answered: Answered, places: Mapping[str, str], titles: Mapping[str, str]) -> str:
    where = f" {titles['at']} {code(places[answered.source])}" if answered.source in places else ""
    count = len(answered.evidence)
    what = (
        _safe(answered.error) if answered.error else titles["piece"] if count == 1 else titles["pieces"].format(count)
    )
    return f"{title(answered.source)}{where}: {what} ({answered.latency_ms:.0f} ms)"


def code(text: str) -> str:
    """A code span that shows untrusted text whatever it holds: the fence is longer than any run of backticks in it."""
    line = " ".join(text.split())
    shown = line if len(line) <= SHOWN_CHARS else f"{line[:SHOWN_CHARS]} …"
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") or not shown else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def _safe(text: str) -> str:
    """Words that may hold untrusted names: nothing in them makes a tag, a link, an image or a heading of Markdown."""
    apart = _TAG.sub(_NO_TAG, text).replace("](", "] (").replace("][", "] [").replace("![", "! [")
    return re.sub(r"^(\s*)(#+ )", r"\1\\\2", apart, flags=re.MULTILINE)
