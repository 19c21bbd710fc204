"""What a model is shown: the incident, the rules' conclusions and the evidence, as data, within a budget."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any

from fanfold.troubleshoot.answer import Answer, Claim, Hypothesis
from fanfold.troubleshoot.ask import clean_text
from fanfold.troubleshoot.evidence import Evidence, Fact

MOST_MESSAGE_CHARS = 2_000
MOST_TEXT_CHARS = 1_500
MOST_FACT_CHARS = 300
MOST_LISTED = 20
MOST_HYPOTHESES = 5
BYTES_A_TOKEN = 3  # fewer than tokenizers take for prose, about what they take for logs


@dataclass(frozen=True, slots=True)
class Shown:
    """The evidence that there is room for, each piece as one line of JSON, and the rest."""

    evidence: tuple[Evidence, ...] = ()
    lines: tuple[str, ...] = ()
    left_out: tuple[Evidence, ...] = ()

    @property
    def text(self) -> str:
        """What the model reads."""
        return "\n".join(self.lines) or "none"

    @property
    def left_out_ids(self) -> str:
        """Names of what there was no room for: "E7, E9-E12"."""
        return ", ".join(_ranges([int(evidence.id[1:]) for evidence in self.left_out])) or "none"


def tokens_of(text: str) -> int:
    """Tokens in a text, about; rather too many than too few."""
    return -(-len(text.encode()) // BYTES_A_TOKEN)


def fitted(answer: Answer, max_tokens: int) -> Shown:
    """The evidence that fits, what the rules rest on first, then the most telling pieces of each source."""
    fits, lines, left_out = [], [], []
    for evidence in _most_telling_first(answer):
        line = _line(evidence)
        tokens = tokens_of(f"{line}\n")
        if tokens > max_tokens:
            left_out.append(evidence)
            continue
        fits.append(evidence)
        lines.append(line)
        max_tokens -= tokens
    return Shown(tuple(fits), tuple(lines), tuple(left_out))


def incident_data(answer: Answer) -> str:
    """The incident as one line of JSON."""
    incident = answer.incident
    return as_data(
        {
            "message": _cut(clean_text(incident.message), MOST_MESSAGE_CHARS),
            "jobs": [clean_text(job) for job in incident.jobs],
            "instance": clean_text(incident.instance or ""),
            "codes": list(incident.codes),
            "at": incident.at.isoformat() if incident.at else None,
            "asked_at": incident.now.isoformat(),
        }
    )


def conclusions_data(answer: Answer) -> str:
    """What the rules made of it as one line of JSON."""
    return as_data(
        {
            "status": answer.status,
            "summary": clean_text(answer.summary),
            "hypotheses": list(map(_hypothesis, answer.hypotheses[:MOST_HYPOTHESES])),
            "blast_radius": list(map(_claim, answer.blast_radius)),
            "next_steps": list(map(_claim, answer.next_steps)),
            "prevention": list(map(_claim, answer.prevention)),
            "not_known": [clean_text(missing) for missing in answer.missing],
        }
    )


def as_data(value: Mapping[str, Any]) -> str:
    """A value as one line of JSON that can end neither its line nor a tag around it."""
    given = {name: each for name, each in value.items() if each not in (None, "", [], {})}
    return json.dumps(given, ensure_ascii=False).replace("<", "\\u003c").replace(">", "\\u003e")


def _most_telling_first(answer: Answer) -> Iterator[Evidence]:
    by_id = {evidence.id: evidence for evidence in answer.evidence}
    sources: dict[str, list[str]] = {}
    for evidence in answer.evidence:
        sources.setdefault(evidence.source, []).append(evidence.id)
    in_turns = (each for turn in zip_longest(*sources.values()) for each in turn if each)
    for each in dict.fromkeys(chain(_cited(answer), in_turns)):
        if each in by_id:
            yield by_id[each]


def _cited(answer: Answer) -> Iterator[str]:
    for hypothesis in answer.hypotheses:
        yield from (*hypothesis.evidence, *hypothesis.against)
    for claim in (*answer.blast_radius, *answer.next_steps, *answer.prevention):
        yield from claim.evidence


def _line(evidence: Evidence) -> str:
    return as_data(
        {
            "id": evidence.id,
            "source": evidence.source,
            "kind": evidence.kind,
            "subject": _cut(clean_text(evidence.subject), MOST_FACT_CHARS),
            "at": evidence.at.isoformat() if evidence.at else None,
            "codes": list(evidence.codes[:MOST_LISTED]),
            "facts": {name: _fact(value) for name, value in evidence.facts.items() if value is not None},
            "text": _cut(clean_text(evidence.text), MOST_TEXT_CHARS),
        }
    )


def _fact(value: Fact) -> Fact:
    if isinstance(value, list):
        return [_cut(clean_text(each), MOST_FACT_CHARS) for each in value[:MOST_LISTED]]
    return _cut(clean_text(value), MOST_FACT_CHARS) if isinstance(value, str) else value


def _cut(text: str, most_chars: int) -> str:
    return text if len(text) <= most_chars else f"{text[:most_chars]} …"


def _hypothesis(hypothesis: Hypothesis) -> dict[str, object]:
    return {
        "cause": hypothesis.cause,
        "object": clean_text(hypothesis.object),
        "text": clean_text(hypothesis.text),
        "confidence": round(hypothesis.confidence, 2),
        "evidence": list(hypothesis.evidence),
        "against": list(hypothesis.against),
    }


def _claim(claim: Claim) -> dict[str, object]:
    return {"text": clean_text(claim.text), "evidence": list(claim.evidence)}


def _ranges(numbers: Sequence[int]) -> Iterable[str]:
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return (f"E{run[0]}" if len(run) == 1 else f"E{run[0]}-E{run[-1]}" for run in runs)
