"""How far a task has come: what was verified so far, and what is known of what wasn't."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fanfold.fix.attempts.verify import Judgement, Verified
from fanfold.fix.findings.finding import Finding
from fanfold.fix.findings.split import Task
from fanfold.git import Change

MAX_TOLD_CHARS = 6_000
"""Of what was refused, for who works next."""
MAX_WHY = 20
"""Reasons of one agent in a report."""
NO_MORE = "nothing more was fixed"


@dataclass(frozen=True)
class Told:
    """What became of one try that didn't fix everything: who made it, and the reasons."""

    agent: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Standing:
    """What one task has come to, from try to try and from stage to stage.

    Args:
        told: what was known before the first try.
        best: what was best of what was verified, None = nothing was yet.
        change: of `best`.
        maker: who made it.
        verdict: of `best`, or of what came closest; None = nothing could be judged.
        by: whose `verdict` is.
        refused: fixes that its maker took back.
        tries: what became of each try that left something, in order.
        failure: why the last try that ended without an answer did so.
        over: no other try may begin.
    """

    task: Task
    told: str = ""
    best: Verified | None = None
    change: Change | None = None
    verdict: Judgement | None = None
    by: str = ""
    refused: tuple[str, ...] = ()
    tries: tuple[Told, ...] = ()
    failure: Exception | None = None
    over: bool = False

    @property
    def whole(self) -> bool:
        """Whether nothing is left to fix."""
        return self.best is not None and not self.best.verdict.left

    @property
    def fixed(self) -> int:
        """Findings of the task that are fixed in what was verified."""
        return self.best.verdict.fixed if self.best else 0

    @property
    def left(self) -> tuple[Finding, ...]:
        """The findings that are left, where they stand in what was verified."""
        return (self.best.verdict.kept or self.task.findings) if self.best else self.task.findings

    @property
    def feedback(self) -> str:
        """What is known of all tries so far, for who works next; of much, the latest."""
        said = ["\n".join(one.reasons) for one in self.tries]
        return _latest(list(dict.fromkeys([self.told, *said] if self.told else said)))

    def judged(
        self, by: str, best: Verified | None, change: Change, verdict: Judgement, refused: tuple[str, ...] = ()
    ) -> Standing:
        """After a try that could be judged.

        Args:
            best: what is best by now.
            change, verdict: what the try came to.
            refused: fixes that the agent took back.
        """
        if verdict.ok and (self.best is None or verdict.fixed > self.fixed):
            return replace(self, best=best, change=change, verdict=verdict, by=by, refused=refused)
        if self.best is None and (self.verdict is None or _closer(verdict, self.verdict)):
            return replace(self, verdict=verdict, by=by, refused=refused)
        return self

    def knowing(self, by: str, reasons: tuple[str, ...]) -> Standing:
        """With what is to be told of a try."""
        return replace(self, tries=(*self.tries, Told(by, reasons))) if reasons else self

    def knows(self, reasons: Sequence[str]) -> bool:
        """Whether all of this was said of tries before."""
        return {words for one in self.tries for words in one.reasons}.issuperset(reasons)

    def failed(self, by: str, error: Exception, words: str, *, over: bool = False) -> Standing:
        """After a try that ended without anything to judge."""
        return replace(self, failure=error, over=self.over or over).knowing(by, (words,))

    @property
    def progress(self) -> tuple[int, bool, tuple[int, bool], bool]:
        """What compares standings of the same task: the higher, the further."""
        closest = _closeness(self.verdict) if self.verdict else (0, False)
        return self.fixed, self.verdict is not None, closest, self.failure is None

    def beside(self, start: Standing, others: Sequence[Standing]) -> Standing:
        """With what is known of others that began at `start`, too; this one is among them, and is what goes on."""
        tries = [told for one in others for told in one.tries[len(start.tries) :]]
        failure = self.failure or next((one.failure for one in others if one.failure is not None), None)
        over = any(one.over for one in others)
        return replace(self, tries=(*start.tries, *tries), failure=failure, over=over)

    def why_left(self) -> tuple[str, ...]:
        """Why what is left is left, where the verdict itself doesn't say: the last words on each agent's tries."""
        if self.whole:
            return ()
        last = {one.agent: one.reasons for one in self.tries if one.reasons != (NO_MORE,)}
        # Of whom nothing was kept, that it gave no answer is the reason; which fixes it took back stands elsewhere.
        aside = [words for words in self.refused if self.best or words.startswith(f"{self.task.path}:")]
        known = {*(self.verdict.reasons if self.verdict else ()), *aside}
        said = [(agent, words) for agent, reasons in last.items() for words in reasons[:MAX_WHY] if words not in known]
        return tuple(_by(agent, words) if len(last) > 1 else words for agent, words in said)


def _by(agent: str, words: str) -> str:
    """Whose words these are, unless they begin with that."""
    return words if words.startswith(f"{agent} ") else f"{agent}: {words}"


def _closer(verdict: Judgement, than: Judgement) -> bool:
    return _closeness(verdict) >= _closeness(than)


def _closeness(verdict: Judgement) -> tuple[int, bool]:
    return verdict.fixed, bool(verdict.reasons)


def _latest(said: Sequence[str]) -> str:
    kept: list[str] = []
    left = MAX_TOLD_CHARS
    for text in reversed(said):
        kept.append(text[:left])
        left -= len(text)
        if left <= 0:
            break
    return "\n\n".join(reversed(kept))
