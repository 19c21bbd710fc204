"""An answer as text: plain Markdown, in the language of the question."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from fanfold.troubleshoot.answer import Answer, Claim, Hypothesis
from fanfold.troubleshoot.ask import title
from fanfold.troubleshoot.evidence import Answered, Evidence
from fanfold.troubleshoot.incident import Language
from fanfold.troubleshoot.state import ParallelState

SHOWN_HYPOTHESES = 3

_TITLES: Final[Mapping[Language, Mapping[str, str]]] = {
    "en": {
        "cause": "Likely cause",
        "other": "Other possible causes",
        "blast": "What it holds up",
        "next": "Next steps",
        "prevention": "Prevention",
        "evidence": "Evidence",
        "missing": "Not known",
        "sources": "Sources",
        "raw": "The results could not be put together; here they are as they came",
    },
    "pt": {
        "cause": "Causa provável",
        "other": "Outras causas possíveis",
        "blast": "O que fica parado",
        "next": "Próximos passos",
        "prevention": "Prevenção",
        "evidence": "Evidências",
        "missing": "O que não se sabe",
        "sources": "Fontes",
        "raw": "Não foi possível reunir os resultados; aqui estão como vieram",
    },
}


def told(answer: Answer) -> str:
    """The whole answer as Markdown: summary, cause, consequences, next steps, and the evidence with its ids."""
    titles = _TITLES[answer.incident.language]
    blocks = [answer.summary]
    if answer.hypotheses:
        blocks.append(_block(titles["cause"], [_hypothesis(answer.hypotheses[0])]))
        blocks.append(_block(titles["other"], map(_hypothesis, answer.hypotheses[1:SHOWN_HYPOTHESES])))
    for name, claims in (
        ("blast", answer.blast_radius),
        ("next", answer.next_steps),
        ("prevention", answer.prevention),
    ):
        blocks.append(_block(titles[name], map(_claim, claims)))
    blocks.append(_block(titles["missing"], answer.missing))
    blocks.append(_block(titles["evidence"], map(_evidence, _cited_first(answer))))
    blocks.append(_block(titles["sources"], map(_source, answer.sources)))
    return "\n\n".join(block for block in blocks if block) + "\n"


def raw(state: ParallelState) -> str:
    """What the sources came to, as it is."""
    language = state.get("entities", {}).get("language", "en")
    results = json.dumps(state.get("parallel_results", []), indent=2, ensure_ascii=False, default=str)
    return f"{_TITLES[language]['raw']}:\n\n```json\n{results}\n```\n"


def _block(heading: str, lines: Iterable[str]) -> str:
    listed = "\n".join(f"- {line}" for line in lines)
    return f"## {heading}\n\n{listed}" if listed else ""


def _hypothesis(hypothesis: Hypothesis) -> str:
    against = f"; against it: {', '.join(hypothesis.against)}" if hypothesis.against else ""
    return f"{hypothesis.text} [{', '.join(hypothesis.evidence)}] ({hypothesis.confidence:.0%}{against})"


def _claim(claim: Claim) -> str:
    return f"{claim.text} [{', '.join(claim.evidence)}]"


def _cited_first(answer: Answer) -> Iterator[Evidence]:
    """Evidence that is cited, in the order of its ids; the rest is in the answer's data."""
    cited = {
        cited
        for group in (answer.hypotheses[:SHOWN_HYPOTHESES], answer.blast_radius, answer.next_steps, answer.prevention)
        for entry in group
        for cited in (*entry.evidence, *getattr(entry, "against", ()))
    }
    return (evidence for evidence in answer.evidence if evidence.id in cited)


def _evidence(evidence: Evidence) -> str:
    first, *more = evidence.text.splitlines() or [""]
    rest = f" (and {len(more)} more lines)" if more else ""
    where = f" ({evidence.reference})" if evidence.reference else ""
    return f"{evidence.id} {title(evidence.source)}: {first}{rest}{where}"


def _source(answered: Answered) -> str:
    what = answered.error or f"{len(answered.evidence)}"
    return f"{title(answered.source)}: {what} ({answered.latency_ms:.0f} ms)"
