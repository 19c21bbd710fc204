from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from fanfold.troubleshoot.answer import Answer
from fanfold.troubleshoot.codes import codes_in
from fanfold.troubleshoot.evidence import Answered, Evidence, Fact, Kind
from fanfold.troubleshoot.incident import Incident, Language
from fanfold.troubleshoot.rules import conclude

NOW = datetime(2025, 3, 4, 5, tzinfo=UTC)


@dataclass
class Night:
    """Evidence, written by hand, and what the rules make of it. Times are minutes before the question."""

    pieces: list[Evidence] = field(default_factory=list)
    failed: list[Answered] = field(default_factory=list)
    now: datetime = NOW

    def piece(
        self,
        kind: Kind,
        subject: str,
        text: str,
        facts: Mapping[str, Fact] | None = None,
        *,
        source: str = "",
        ago: float | None = None,
        **more: Fact,
    ) -> str:
        """One piece; its id."""
        id_ = f"E{len(self.pieces) + 1}"
        at = None if ago is None else self.at(ago)
        source = source or {"log": "log_cache", "metric": "metrics", "runbook": "rag_search"}.get(kind, "tws_status")
        self.pieces.append(
            Evidence(
                source=source,
                kind=kind,
                subject=subject,
                text=text,
                facts={**(facts or {}), **more},
                codes=codes_in(text),
                at=at,
                id=id_,
            )
        )
        return id_

    def at(self, ago: float) -> datetime:
        """So many minutes before the question."""
        return self.now - timedelta(minutes=ago)

    def job(
        self, name: str, status: str = "ABEND", *, ran: tuple[float, float | None] | None = (60, 30), **facts: Fact
    ) -> str:
        """A job; `ran` is when it began and ended."""
        given: dict[str, Fact] = {"job": name, "status": status, "workstation": "LX01", "run": f"run-{name}", **facts}
        if ran is not None:
            given["started"] = self.at(ran[0]).isoformat()
            given["ended"] = None if ran[1] is None else self.at(ran[1]).isoformat()
        text = f"Job {name} on {given['workstation']} is in {status}."
        return self.piece("job", name, text, given)

    def joblog(self, name: str, *lines: str, run: str | None = None) -> str:
        """Its log."""
        text = "\n".join((f"Job log of {name}, exit status 1, from line 3:", *lines))
        return self.piece("joblog", name, text, job=name, run=run or f"run-{name}")

    def log(self, name: str, message: str, *, ago: float = 31, level: str = "error", **facts: Fact) -> str:
        """A line of a log that names a job."""
        last = self.at(ago).isoformat()
        return self.piece("log", name, message, {"job": name, "level": level, "last": last, **facts}, ago=ago)

    def comes_after(self, name: str, other: str, status: str, *, depth: int = 1, **facts: Fact) -> str:
        """What a job waits for."""
        text = f"{name} comes after {other}, which is in {status}."
        given: dict[str, Fact] = {"job": name, "other": other, "relation": "predecessor", "status": status}
        return self.piece("dependency", other, text, {**given, "depth": depth, "type": "job", **facts})

    def holds_up(self, name: str, other: str, *, depth: int = 1) -> str:
        """What waits for a job."""
        facts: dict[str, Fact] = {
            "job": name,
            "other": other,
            "relation": "successor",
            "depth": depth,
            "status": "HOLD",
        }
        return self.piece("dependency", other, f"{other} comes after {name}.", facts)

    def change(self, what: str, subject: str, text: str, *, ago: float) -> str:
        """A change."""
        return self.piece("change", subject, text, source="changes", ago=ago, what=what, object=subject)

    def down(self, source: str, error: str = "connection refused") -> None:
        """A source that didn't answer."""
        self.failed.append(Answered(source=source, error=error))

    def answer(
        self, *jobs: str, message: str = "what happened?", language: Language = "en", min_sources: int = 1
    ) -> Answer:
        """What the rules make of it all."""
        incident = Incident(message=message, now=self.now, jobs=jobs, language=language)
        return conclude(incident, self.sources(), min_sources=min_sources)

    def sources(self) -> Sequence[Answered]:
        """The evidence by its sources."""
        names = dict.fromkeys(piece.source for piece in self.pieces)
        answered = [
            Answered(source=name, evidence=tuple(one for one in self.pieces if one.source == name)) for name in names
        ]
        return [*answered, *self.failed]


@pytest.fixture
def night() -> Night:
    return Night()
