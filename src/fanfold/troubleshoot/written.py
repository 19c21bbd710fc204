"""What a model wrote: its form, and what of it stands once every claim's citations are checked."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from pydantic import BaseModel, Field

from fanfold.troubleshoot.answer import Claim, Hypothesis
from fanfold.troubleshoot.ask import clean_text
from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.rules.wording import causes

MOST_HYPOTHESES = 5
MOST_CLAIMS = 8
MOST_CHARS = 1_000
MOST_OBJECT_CHARS = 200
ABENDS = ("E06", "E13", "E37")
"""Abend codes that look like ids, and are none where the evidence has them as codes: SE37. What else looks like an id
counts as one, for whatever is written in a log could otherwise be cited."""

_BRACKETED = re.compile(r"\s*\[\s*(E\d+(?:\s*[,;]\s*E\d+)*)\s*\]", re.IGNORECASE)
_ID = re.compile(r"\bE\d{1,5}\b")
_TAG = re.compile(r"<(?=[A-Za-z/!?])")


class Sentence(BaseModel):
    """A statement."""

    text: str = Field(description="one or two plain sentences")
    evidence: list[str] = Field(default_factory=list, description="ids of the evidence that it rests on, at least one")


class Suspect(Sentence):
    """A possible cause."""

    cause: str = Field(description="one of the classes of causes")
    object: str = Field(description="what it is about: a job, a file, a workstation, a database")
    confidence: float = Field(default=0.0, description="from 0 to 1")
    against: list[str] = Field(default_factory=list, description="ids of the evidence that contradicts it")


class Written(BaseModel):
    """An answer."""

    summary: Sentence | None = Field(default=None, description="what happened and why, in two or three sentences")
    hypotheses: list[Suspect] = Field(default_factory=list, description="possible causes, the likeliest first")
    blast_radius: list[Sentence] = Field(default_factory=list, description="what the failure holds up or breaks")
    next_steps: list[Sentence] = Field(default_factory=list, description="what to look at or do now, in order")
    prevention: list[Sentence] = Field(default_factory=list, description="what keeps it from happening again")


class Check:
    """Lets claims through that rest on evidence which the model was shown; counts the others.

    Attributes:
        dropped: claims that cited nothing, or what isn't there.
    """

    def __init__(self, incident: Incident, shown: Sequence[Evidence]) -> None:
        self._ids = {evidence.id for evidence in shown}
        codes = {*incident.codes, *(code for evidence in shown for code in evidence.codes)}
        self._abends = {code for code in ABENDS if f"S{code}" in codes}
        self.dropped = 0

    def claims(self, sentences: Iterable[Sentence]) -> tuple[Claim, ...]:
        """What stands of these, in their order, each of it once."""
        kept = [claim for sentence in sentences if (claim := self._claim(sentence, ()))]
        return tuple(dict.fromkeys(kept))[:MOST_CLAIMS]

    def hypotheses(self, suspects: Iterable[Suspect]) -> tuple[Hypothesis, ...]:
        """What stands of these, in their order, each cause of an object once."""
        kept: dict[tuple[str, str], Hypothesis] = {}
        for suspect in suspects:
            if hypothesis := self._hypothesis(suspect):
                kept.setdefault(what(hypothesis), hypothesis)
        return tuple(kept.values())[:MOST_HYPOTHESES]

    def _hypothesis(self, suspect: Suspect) -> Hypothesis | None:
        cause, about = suspect.cause.strip().lower(), words(suspect.object, most_chars=MOST_OBJECT_CHARS)
        if cause not in causes() or not about:
            self.dropped += 1
            return None
        claim = self._claim(suspect, [*suspect.against, *self._named(about)])
        if claim is None:
            return None
        return Hypothesis(
            cause=cause,
            object=about,
            text=claim.text,
            confidence=within_0_and_1(suspect.confidence),
            evidence=claim.evidence,
            against=tuple(each for each in _ids(suspect.against) if each not in claim.evidence),
        )

    def _claim(self, sentence: Sentence, others: Sequence[str]) -> Claim | None:
        inside = [each for group in _BRACKETED.findall(sentence.text) for each in _ID.findall(group.upper())]
        text = words(_BRACKETED.sub("", sentence.text))
        evidence = _ids([*sentence.evidence, *inside])
        cited = {*evidence, *_ids(others), *self._named(text)}
        if not text or not evidence or not cited <= self._ids:
            self.dropped += 1
            return None
        return Claim(text=text, evidence=evidence)

    def _named(self, text: str) -> set[str]:
        """What a text names as if it were evidence."""
        return set(_ID.findall(text)) - self._abends


def what(hypothesis: Hypothesis) -> tuple[str, str]:
    """What tells one hypothesis from another."""
    return hypothesis.cause, hypothesis.object.casefold()


def words(text: str, *, most_chars: int = MOST_CHARS) -> str:
    """Untrusted words on one line: masked, cut, and nothing in them that Markdown makes a tag, link or image of."""
    line = " ".join(clean_text(text).split())
    line = line if len(line) <= most_chars else f"{line[:most_chars]} …"
    return _TAG.sub("< ", line).replace("](", "] (").replace("][", "] [").replace("![", "! [")


def within_0_and_1(confidence: float) -> float:
    """A confidence, whatever number was given as one."""
    return 0.0 if math.isnan(confidence) else min(1.0, max(0.0, confidence))


def _ids(given: Iterable[str]) -> tuple[str, ...]:
    """Ids as they were meant: "e1" and "[E1]" are E1."""
    return tuple(dict.fromkeys(each.strip(" []()").upper() for each in given))
