"""Evidence in a file: saved by a run or written by anybody, and answered from without asking any system.

docs/evidence.schema.json is the format, made from these classes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from fanfold.errors import FanfoldError
from fanfold.troubleshoot.answer import Answer
from fanfold.troubleshoot.ask import clean
from fanfold.troubleshoot.evidence import Answered, Evidence, Fact, Kind
from fanfold.troubleshoot.incident import Incident, Language
from fanfold.troubleshoot.route import route
from fanfold.troubleshoot.state import ParallelState, answered_of

VERSION: Literal[1] = 1
SCHEMA_ID = "urn:fanfold:schema:evidence:1"
MAX_BYTES = 64 * 1024 * 1024
MOST_PIECES = 5_000

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1, max_length=500)]


class BundleError(FanfoldError):
    """A file holds no evidence, or can't be read or written."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Piece(_Part):
    """One thing that a source found. `facts` hold what the kind has, each of it optional; others are kept as well."""

    kind: Kind = Field(description="what it is; decides what facts it has")
    subject: Name = Field(description="the object that it is about: a job, a workstation, a service, a series")
    text: str = Field(description="what it says, for people; without secrets")
    facts: dict[str, Fact] = Field(default_factory=dict, description="the same for rules")
    codes: tuple[str, ...] = Field(default=(), description="abend, return and message codes in it, in upper case")
    at: AwareDatetime | None = Field(default=None, description="when that was, with a time zone")
    reference: str = Field(default="", description="where to look it up: a URL, a path with a line, a query")
    score: Share | None = Field(default=None, description="how well it fits the question")


class Source(_Part):
    """What came of one source."""

    source: Name = Field(description="its name")
    evidence: tuple[Piece, ...] = Field(default=(), description="what it found, the most telling first")
    error: str | None = Field(default=None, description="why it has nothing to say; null = it answered")
    timed_out: bool = Field(default=False, description="whether its time was up")
    latency_ms: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(default=0.0, description="how long it took")


class Question(_Part):
    """What is asked; what isn't given is read from the message."""

    message: str = Field(description="what went wrong, in English or Portuguese")
    now: AwareDatetime | None = Field(
        default=None, description="when it was asked; null = when the newest piece of evidence was"
    )
    jobs: tuple[Name, ...] | None = Field(default=None, description="what it is about")
    instance: str | None = Field(default=None, description="of the scheduler")
    codes: tuple[str, ...] | None = Field(default=None, description="abend, return and message codes in the message")
    at: AwareDatetime | None = Field(default=None, description="when it happened, with a time zone")
    window_s: Seconds = Field(default=3600.0, description="seconds before that time that matter")
    language: Language | None = Field(default=None, description="of the answer")


class Bundle(_Part):
    """An incident and the evidence on it."""

    version: Literal[1] = Field(default=VERSION, description="of this format")
    incident: Question
    sources: tuple[Source, ...]
    min_sources_required: Annotated[int, Field(ge=0)] = Field(
        default=1, description="with fewer sources that answered, the answer is that it can't be said"
    )

    def asked(self) -> Incident:
        """The incident, complete."""
        given, read = self.incident, route(self.incident.message)
        return Incident(
            message=given.message,
            now=given.now or given.at or self._newest(),
            jobs=read.entities.jobs if given.jobs is None else given.jobs,
            instance=given.instance or read.entities.instance,
            codes=read.entities.codes if given.codes is None else given.codes,
            at=given.at,
            window_s=given.window_s,
            language=given.language or read.language,
        )

    def answered(self) -> tuple[Answered, ...]:
        """All sources with their evidence, masked and numbered as in a run."""
        number, sources = 0, []
        for source in self.sources:
            pieces = []
            for piece in source.evidence:
                number += 1
                pieces.append(clean(Evidence(source=source.source, id=f"E{number}", **dict(piece))))
            sources.append(
                Answered(
                    source=source.source,
                    evidence=tuple(pieces),
                    latency_ms=source.latency_ms,
                    error=source.error,
                    timed_out=source.timed_out,
                )
            )
        return tuple(sources)

    def answer(self) -> Answer:
        """What the rules make of it; asks no system and no model."""
        from fanfold.troubleshoot.rules import conclude  # noqa: PLC0415 who only writes a bundle needs no rules

        return conclude(self.asked(), self.answered(), min_sources=self.min_sources_required)

    def _newest(self) -> datetime:
        times = [piece.at for source in self.sources for piece in source.evidence if piece.at]
        return max(times, default=datetime.now(UTC))


def bundle_of(incident: Incident, sources: Sequence[Answered], *, min_sources: int = 1) -> Bundle:
    """An incident and what sources answered, as it is saved."""
    names = tuple(Piece.model_fields)
    return Bundle(
        incident=Question(**{name: getattr(incident, name) for name in Question.model_fields}),
        sources=tuple(
            Source(
                source=one.source,
                evidence=tuple(Piece(**{name: getattr(piece, name) for name in names}) for piece in one.evidence),
                error=one.error,
                timed_out=one.timed_out,
                latency_ms=one.latency_ms,
            )
            for one in sources
        ),
        min_sources_required=min_sources,
    )


def bundle_of_state(state: ParallelState, incident: Incident, *, min_sources: int = 1) -> Bundle:
    """What a run's final state has, as it is saved."""
    sources = [answered_of(result) for result in state.get("parallel_results", [])]
    return bundle_of(incident, sources, min_sources=min_sources)


def save(bundle: Bundle, path: Path) -> None:
    """Write a bundle, so that the file is there whole or not at all.

    Raises:
        BundleError: the file can't be written.
    """
    text = json.dumps(bundle.model_dump(mode="json", exclude_none=True), indent=2, ensure_ascii=False) + "\n"
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8", errors="backslashreplace")
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise BundleError(
            f"{path} can't be written: {error.strerror}", hint="name a file in a folder that exists and is writable"
        ) from None


def load(path: Path) -> Bundle:
    """The bundle in a file.

    Raises:
        BundleError: the file can't be read, or holds no evidence.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BundleError(
            f"{path} can't be read: {error.strerror}", hint="look at the path and at its rights"
        ) from None
    if len(content) > MAX_BYTES:
        raise BundleError(f"{path} has more than {MAX_BYTES} bytes", hint="leave out what tells nothing")
    try:
        bundle = Bundle.model_validate_json(content)
    except ValidationError as error:
        raise _complaint(path, error) from None
    count = sum(len(source.evidence) for source in bundle.sources)
    if count > MOST_PIECES:
        raise BundleError(f"{path} has {count} pieces of evidence, more than {MOST_PIECES}", hint="leave some out")
    return bundle


def schema() -> dict[str, Any]:
    """The format as a JSON schema."""
    made = Bundle.model_json_schema(mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, **made}


def _complaint(path: Path, error: ValidationError) -> BundleError:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    said = f"{where}: {first['msg']}" if where else first["msg"]
    return BundleError(f"{path} holds no evidence: {said}", hint="docs/evidence.schema.json is the format")


if __name__ == "__main__":
    Path("docs/evidence.schema.json").write_text(json.dumps(schema(), indent=2) + "\n", encoding="utf-8")
