"""What was said and done in each attempt: written down when it is made, read when somebody asks."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from fanfold.agents.protocol import Diagnostic
from fanfold.fix.attempts.effort import Effort
from fanfold.fix.undecodable import schema_of
from fanfold.llm.usage import Usage
from fanfold.redact import redact

FORMAT = 1
MAX_CHARS = 200_000
CUT = "\n(… {} characters left out …)\n"


@dataclass(frozen=True, kw_only=True)
class Trail:
    """One attempt at one file.

    Args:
        id: tells it from all others, so that it is kept once however often it comes.
        path: the file.
        number: 1 for the first attempt of a branch.
        agent: who worked.
        started_s: seconds since 1970.
        agent_s: seconds that the agent took.
        prompt, transcript, summary: what was asked and what was answered; empty where there is none.
        refused: fixes that the agent took back, each with its reason.
        error: why there is nothing to judge, None = there is.
        ok, fixed, left, reasons: what verification said, tests included.
        diff: the change as a patch; empty where nothing was changed.
        stage: the place of the agent's stage in the cascade, 0 for the first.
        asked: how many findings it was asked to fix, by checker and rule as in "ruff F401".
        again: it is part of the second attempt, after the first one's change was taken out.
        base: id of the commit that `diff` is against; empty where nothing was changed.
        made: what each path that differs there is now: its mode and the id of its object, as git has them.
        altered: what of `diff` was masked or cut, so that it isn't the change any more; empty where it is.
        missed: how many of these are still there in what it made, alike; empty where there is nothing to judge.
        usage: what the agent took, None = nobody knows.
        stopped: it was ended from outside, by another agent that was first, by the run's end or by a budget, so that it
            says nothing about the agent.
        session: the agent's own name for what it did; empty where it has none.
        repeated: the very same had been made at this file before, so it has that verdict and wasn't checked again.
        lane: the agent's place among those that raced, 0 for the first.
        over: what was up where `error` says so: "time" of the attempt, or a "budget"; empty = neither.
    """

    id: str
    path: str
    number: int
    agent: str
    started_s: float
    agent_s: float = 0.0
    prompt: str = ""
    transcript: str = ""
    summary: str = ""
    refused: tuple[str, ...] = ()
    error: str | None = None
    ok: bool = False
    fixed: int = 0
    left: int = 0
    reasons: tuple[str, ...] = ()
    diff: str = ""
    stage: int = 0
    asked: Mapping[str, int] = field(default_factory=dict)
    missed: Mapping[str, int] = field(default_factory=dict)
    again: bool = False
    base: str = ""
    made: Mapping[str, str] = field(default_factory=dict)
    altered: str = ""
    usage: Usage | None = None
    stopped: bool = False
    session: str = ""
    repeated: bool = False
    lane: int = 0
    over: str = ""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Files may have names that aren't UTF-8."""
        return schema_of(source, handler)

    @property
    def effort(self) -> Effort:
        """What it took, as it is counted; what it brought beyond those before it is not for itself to say."""
        return Effort(
            id=self.id, stage=self.stage, agent=self.agent, agent_s=self.agent_s, usage=self.usage, ok=self.ok
        )

    def bounded(self, max_chars: int = MAX_CHARS) -> Trail:
        """Without secrets, and without the middle of what is too long."""
        masked = "a secret in it was masked" if redact(self.diff) != self.diff else ""
        cut = "it was cut, being too long" if len(self.diff) > max_chars else ""
        return replace(
            self,
            altered=masked or cut or self.altered,
            prompt=_bounded(self.prompt, max_chars),
            transcript=_bounded(self.transcript, max_chars),
            summary=_bounded(self.summary, max_chars),
            session=_bounded(self.session, max_chars),
            diff=_bounded(self.diff, max_chars),
            error=self.error and _bounded(self.error, max_chars),
            refused=tuple(_bounded(each, max_chars) for each in self.refused),
            reasons=tuple(_bounded(each, max_chars) for each in self.reasons),
        )


def by_rule(findings: Iterable[Diagnostic]) -> dict[str, int]:
    """How many there are of each rule, by checker and rule as trails have it."""
    return dict(sorted(Counter(f"{one.checker} {one.rule}" for one in findings).items()))


def new_id() -> str:
    """An id for an attempt."""
    return secrets.token_hex(8)


class Trails(Protocol):
    """Takes what was said and done in attempts."""

    async def begin(self, key: str, trail: Trail) -> None:
        """Learn that an attempt at the task `key` begins; the same one is kept when it has ended."""
        ...

    async def keep(self, key: str, trail: Trail) -> None:
        """Keep what there is of one attempt at the task `key`."""
        ...


class Written:
    """Writes each trail to a file of its own, at once: `<n>/attempt-<k>.json`, n being the task's number.

    Args:
        folder: of the tasks; made when needed.
        numbers: of the tasks, by key.
    """

    def __init__(self, folder: Path, numbers: Mapping[str, int]) -> None:
        self._folder = folder
        self._numbers = numbers
        self._one_by_one: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def begin(self, key: str, trail: Trail) -> None:
        """Write nothing yet."""

    async def keep(self, key: str, trail: Trail) -> None:
        """Write it; what is there already isn't written again. Nothing where the disk refuses."""
        number = self._numbers.get(key)
        if number is not None:
            async with self._one_by_one[number]:  # who races ends together, and each takes the next free name
                await asyncio.to_thread(_write, self._folder / str(number), trail)


def trails_of(folder: Path) -> list[Trail]:
    """What was written of one task, in order; what can't be read is left out."""
    return [trail for _, trail in sorted(_read(folder), key=lambda pair: pair[0])]


def _write(folder: Path, trail: Trail) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        there = dict(_read(folder))
        if any(each.id == trail.id for each in there.values()):
            return
        file = folder / f"attempt-{max(there, default=0) + 1}.json"
        begun = file.with_suffix(".begun")
        begun.write_text(json.dumps({"format": FORMAT, **asdict(trail.bounded())}, indent=1))
        begun.chmod(0o600)
        begun.rename(file)
    except OSError:
        return  # they are for people to read; a run doesn't fail for want of them


def _read(folder: Path) -> Iterable[tuple[int, Trail]]:
    for file in folder.glob("attempt-*.json") if folder.is_dir() else ():
        try:
            told: dict[str, Any] = json.loads(file.read_text())
            told.pop("format")
            told |= {name: tuple(told[name]) for name in ("refused", "reasons")}
            told["usage"] = Usage(**told["usage"]) if told.get("usage") else None
            yield int(file.stem.removeprefix("attempt-")), Trail(**told)
        except (OSError, ValueError, KeyError, TypeError):
            continue


def _bounded(text: str, max_chars: int) -> str:
    text = redact(text)
    if len(text) <= max_chars:
        return text
    half = max_chars // 2
    return text[:half] + CUT.format(len(text) - 2 * half) + text[-half:]
