"""Take outcomes as they arrive and put each verified change on the result branch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from fanfold import __version__
from fanfold.engine import Done, Outcome
from fanfold.fix.attempt import Attempted
from fanfold.git import BranchMoved, Landed, LandError, ResultBranch


@dataclass
class Landing:
    """The result branch of one run and what came of each task.

    With `only_show` nothing is put on the branch; `landed` then holds what would have been.
    """

    branch: ResultBranch
    agent: str
    only_show: bool = False
    outcomes: dict[str, Outcome[Attempted]] = field(default_factory=dict)
    landed: dict[str, Landed] = field(default_factory=dict)
    conflicts: dict[str, str] = field(default_factory=dict)
    taken_out: dict[str, str] = field(default_factory=dict)

    async def take(self, outcome: Outcome[Attempted]) -> None:
        """Note the outcome of one branch and land its change, if it made one.

        A later outcome adds to an earlier one; the same one may come again, and is passed over.
        """
        if self._has(outcome):
            return
        earlier = self.outcomes.get(outcome.key)
        if earlier is not None:
            outcome = replace(outcome, elapsed_s=earlier.elapsed_s + outcome.elapsed_s)
        self.outcomes[outcome.key] = outcome
        if not isinstance(outcome, Done) or outcome.value.change is None:
            return
        change, message = outcome.value.change, message_of(outcome.value, self.agent)
        try:
            commit = "" if self.only_show else await self.branch.land(change, message)
        except BranchMoved:
            raise  # by somebody else: nothing can be put there any more
        except LandError as error:
            self.conflicts[outcome.key] = str(error)
        else:
            self.landed[outcome.key] = Landed(commit, change, message)
            self.taken_out.pop(outcome.key, None)

    def _has(self, outcome: Outcome[Attempted]) -> bool:
        landed = self.landed.get(outcome.key)
        return landed is not None and isinstance(outcome, Done) and outcome.value.change == landed.change

    async def compose(self, keys: Sequence[str]) -> str:
        """A commit of only these changes on the base; the branch's own tip where these are all it has."""
        if not self.only_show and tuple(keys) == tuple(self.landed):
            return self.branch.tip
        return await self.branch.compose([self.landed[key] for key in keys])

    async def take_out(self, guilty: dict[str, str]) -> None:
        """Make the branch anew without the guilty changes, each with the reason."""
        kept = [key for key in self.landed if key not in guilty]
        self.taken_out.update(guilty)
        if not self.only_show:
            await self.branch.rebuild([self.landed[key] for key in kept])
            rebuilt = dict(zip(kept, self.branch.commits, strict=True))
        else:
            rebuilt = {key: self.landed[key] for key in kept}
        self.landed = rebuilt


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
