"""What became of each task's change: on the result branch, sent back, dropped, or none yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from fanfold import __version__
from fanfold.engine import Done, Outcome
from fanfold.fix.attempts.attempt import Attempted
from fanfold.fix.attempts.effort import Effort, efforts_of, makers_of
from fanfold.fix.runlog import Note, RunLog
from fanfold.git import Change, Landed, ResultBranch

if TYPE_CHECKING:
    from fanfold.fix.landing.candidate import Red
    from fanfold.fix.landing.restored import Restored

KIND = "landing"
"""What notes of landing are called in the run's log."""


@dataclass(frozen=True)
class Offer:
    """A change that was verified alone, and wants to be on the result branch."""

    outcome: Done[Attempted]
    change: Change
    message: str

    @property
    def key(self) -> str:
        """Of its task."""
        return self.outcome.key


@dataclass(frozen=True)
class Refusal:
    """Why a change is not on the result branch.

    Args:
        on: the tree that it didn't go together with.
        reasons: in words that follow "it", the first one first.
        tests: names of the tests that it breaks.
        red: what showed it; None = a conflict, or an earlier process of the run knew.
    """

    offer: Offer
    kind: Literal["conflict", "red"]
    on: str
    reasons: tuple[str, ...]
    tests: tuple[str, ...] = ()
    red: Red | None = None

    def note(self, step: Literal["sent back", "dropped"]) -> Note:
        """For the run's log."""
        return {
            "step": step,
            "key": self.offer.key,
            "reason": self.reasons[0],
            "reasons": list(self.reasons),
            "kind": self.kind,
            "tests": list(self.tests),
            "tree": self.offer.change.tree,
            "on": self.on,
        }


@dataclass
class Landing:
    """The result branch of one run and what came of each task.

    Attributes:
        outcomes: of each task's branch, the one that counts.
        landed: on the branch, by key, in order; with a branch that only shows, what would be.
        sent_back: taken out the first time; a second attempt may have landed since.
        dropped: taken out for good.
        final: there is no second attempt any more.
        second_on: the commit that second attempts are made on, None = none has begun.
    """

    branch: ResultBranch
    agent: str
    outcomes: dict[str, Outcome[Attempted]] = field(default_factory=dict)
    landed: dict[str, Landed] = field(default_factory=dict)
    sent_back: dict[str, Refusal] = field(default_factory=dict)
    dropped: dict[str, Refusal] = field(default_factory=dict)
    final: bool = False
    second_on: str | None = None
    efforts: dict[str, tuple[Effort, ...]] = field(default_factory=dict)
    _before: dict[tuple[str, str], Note] = field(default_factory=dict)
    _last: dict[str, Outcome[Attempted]] = field(default_factory=dict)
    _offered: set[tuple[str, str]] = field(default_factory=set)

    @property
    def only_show(self) -> bool:
        """Whether nothing is put on a branch."""
        return self.branch.only_show

    def receive(self, outcome: Outcome[Attempted]) -> Offer | None:
        """Note the outcome of one branch; the change that it offers, if it made one that isn't known yet.

        A later outcome adds its time to an earlier one. The same one may come again, and is passed over.
        """
        if outcome == self._last.get(outcome.key):
            return None
        self._last[outcome.key] = outcome
        tried = outcome.value.efforts if isinstance(outcome, Done) else efforts_of(outcome.error)
        self.efforts[outcome.key] = (*self.efforts.get(outcome.key, ()), *tried)
        if (earlier := self.outcomes.get(outcome.key)) is not None:
            outcome = replace(outcome, elapsed_s=earlier.elapsed_s + outcome.elapsed_s)
        self.outcomes[outcome.key] = outcome
        if not isinstance(outcome, Done) or (change := outcome.value.change) is None:
            return None
        offer = Offer(outcome, change, message_of(outcome.value, makers_of(outcome.value.efforts) or self.agent))
        known = self._is_known(offer)
        self._offered.add((offer.key, change.tree))
        return None if known else offer

    def _is_known(self, offer: Offer) -> bool:
        """Whether a change has been decided on, or is about to be; by an earlier process of the run, perhaps."""
        name = offer.key, offer.change.tree
        if note := self._before.pop(name, None):
            known = Refusal(offer, note["kind"], note["on"], tuple(note["reasons"]), tuple(note["tests"]))
            (self.dropped if self.final else self.sent_back)[offer.key] = known
            return True
        return offer.key in self.landed or name in self._offered

    @property
    def offered(self) -> int:
        """How many changes were offered, those to an earlier process of the run among them."""
        return len(self._offered)

    def took(self, offers: Sequence[Offer], landed: Sequence[Landed]) -> None:
        """Changes are on the branch."""
        for offer, commit in zip(offers, landed, strict=True):
            self.landed[offer.key] = commit
            self.outcomes[offer.key] = offer.outcome
            self.dropped.pop(offer.key, None)

    async def refuse(self, refusal: Refusal, log: RunLog) -> None:
        """A change is taken out: to be attempted once more, or for good."""
        if self.final:
            await self.drop(refusal, log)
        else:
            await log.note(KIND, refusal.note("sent back"))
            self.sent_back[refusal.offer.key] = refusal

    async def drop(self, refusal: Refusal, log: RunLog) -> None:
        """A change is taken out for good."""
        await log.note(KIND, refusal.note("dropped"))
        self.dropped[refusal.offer.key] = refusal

    def refusal(self, key: str) -> Refusal | None:
        """Why a task has nothing on the branch, where that is so because its change was taken out."""
        return None if key in self.landed else self.dropped.get(key) or self.sent_back.get(key)

    def restore(self, restored: Restored) -> None:
        """Go on from where an earlier process of the run was; the branch was restored when it was opened.

        Outcomes aren't restored: they come again.
        """
        by_commit: Mapping[str, Landed] = {landed.commit: landed for landed in self.branch.commits}
        self.landed = {key: by_commit[commit] for key, commit in restored.landed.items()}
        self.second_on = restored.second_on
        self._before = dict(restored.refused)


def message_of(attempted: Attempted, agent: str) -> str:
    """A conventional commit message: what was fixed, by rule and count, and who did it."""
    path, fixed = _one_line(attempted.task.path), attempted.verdict.fixed
    noun = "finding" if fixed == 1 else "findings"
    lines = [f"fix(quality): {fixed} {noun} in {path}", ""]
    lines += _by_rule(attempted)
    lines += ["", f"Fixed-by: fanfold {__version__} ({agent})"]
    return "\n".join(lines) + "\n"


def _by_rule(attempted: Attempted) -> list[str]:
    """A line for each rule of the task: how many of its findings went away, with the words of a single one."""
    titles = {(one.checker, one.rule): one.message for one in attempted.task.findings}
    gone = Counter((one.checker, one.rule) for one in attempted.verdict.gone if (one.checker, one.rule) in titles)
    return [
        f"- {checker} {rule}: {count}" + (f" ({_one_line(titles[checker, rule])[:72]})" if count == 1 else "")
        for (checker, rule), count in sorted(gone.items())
    ]


def _one_line(text: str) -> str:
    """File names and messages come from the repository: no line break may start a trailer of its own."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
