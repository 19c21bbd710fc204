"""What is answered: causes, ranked, each with the evidence that it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from fanfold.troubleshoot.evidence import Answered, Evidence
from fanfold.troubleshoot.incident import Incident

Status: TypeAlias = Literal["cause", "healthy", "unknown", "abstained"]
"""A cause was found; nothing is wrong; none was found; too few sources answered to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One sentence, and the ids of the evidence that it rests on, at least one."""

    text: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """A possible cause.

    Attributes:
        cause: its class, a word of CAUSES in `rules`, "missing_file" for instance.
        object: what it is about: a job, a file, a workstation, a database.
        confidence: from 0 to 1; ranks hypotheses, and is no probability.
        evidence: ids of what speaks for it, the strongest first.
        against: ids of what speaks against it.
    """

    cause: str
    object: str
    text: str
    confidence: float
    evidence: tuple[str, ...]
    against: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The whole answer to an incident.

    Attributes:
        hypotheses: ranked, the likeliest first; none unless `status` is "cause".
        blast_radius: what the failure holds up or breaks.
        missing: what would have to be known to say more.
        dropped_claims: claims of a model that cited nothing, or what isn't there.
        written_by: "rules", or the name of the model.
    """

    incident: Incident
    status: Status
    summary: str
    hypotheses: tuple[Hypothesis, ...] = ()
    blast_radius: tuple[Claim, ...] = ()
    next_steps: tuple[Claim, ...] = ()
    prevention: tuple[Claim, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    sources: tuple[Answered, ...] = ()
    missing: tuple[str, ...] = ()
    dropped_claims: int = 0
    written_by: str = "rules"
