"""What agents made in an earlier run, as an agent: it puts the recorded result of each attempt in place."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fanfold.agents.protocol import AgentError, Assignment, BudgetExhausted, Report
from fanfold.engine import DeadlineExceeded
from fanfold.fix.attempts.played import rounds_of
from fanfold.fix.attempts.stages import Course
from fanfold.fix.attempts.trail import Trail
from fanfold.fix.findings.split import Task
from fanfold.fix.runs import Past
from fanfold.git import GitError, Repository, contents, make_again
from fanfold.llm.usage import Usage

NOTHING = Usage(cost_usd=0.0)
"""What an answer takes that was given before; what it took then stands in the report of that run."""
FILE, PROGRAM, LINK, ABSENT = "100644", "100755", "120000", "000000"


class Unplayable(AgentError):
    """What was recorded of an attempt isn't what the agent made."""


@dataclass
class Tape:
    """Plays the attempts at each file in the order in which they were made; an agent and a policy.

    Args:
        name: who made the answers, as the run had it.
        rounds: by path, the attempts of the first time and of the second one.
        blobs: what the files held that were made, by the ids of their objects.
        unplayable: why a file's attempts can't be played, by path.
    """

    name: str
    rounds: Mapping[str, Sequence[Sequence[Trail]]]
    blobs: Mapping[str, bytes]
    unplayable: dict[str, str]
    deterministic: bool = False
    edits_tests: bool = True
    goes_on: bool = True
    _round: defaultdict[str, int] = field(default_factory=lambda: defaultdict(lambda: -1))
    _base: dict[str, Mapping[str, tuple[str, bytes]]] = field(default_factory=dict)

    @classmethod
    async def of(cls, past: Past, repository: Repository) -> Tape:
        """The attempts of a run, with what can be had of what they made."""
        rounds = {task.path: rounds_of(past.trails(task.key)) for task in past.plan.tasks}
        trails = [trail for each in rounds.values() for one in each for trail in one]
        wanted = {oid for trail in trails for oid in _oids(trail)}
        blobs = await contents(repository, wanted)
        why: dict[str, str] = {}
        for trail in trails:
            if not _is_there(trail, blobs):
                blobs |= await _made_again(repository, trail, why)
        unplayable = {trail.path: why[trail.path] for trail in trails if not _is_there(trail, blobs)}
        return cls(past.begun.agent, rounds, blobs, unplayable)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to play."""
        return not any(trails for rounds in self.rounds.values() for trails in rounds)

    def course(self, task: Task, stages: int) -> Course:  # noqa: ARG002  (the shape of a policy)
        """As many tries as were made at most at one time."""
        most = max((len(trails) for trails in self.rounds.get(task.path, ())), default=1)
        return Course(((0, max(most, 1)),))

    async def work(self, assignment: Assignment) -> Report:
        """Make the workspace what it was after the recorded attempt.

        Raises:
            AgentError, DeadlineExceeded: the recorded attempt ended so; or there is none, or it can't be put in place.
        """
        path = assignment.path
        if assignment.attempt == 1:
            self._round[path] += 1
            # Nobody has been here: what the workspace holds is the base.
            self._base[path] = await asyncio.to_thread(_held, assignment.root, (path, *assignment.others))
        rounds = self.rounds.get(path, ())
        if self._round[path] >= len(rounds) or not rounds[self._round[path]]:
            raise _free(BudgetExhausted("it wasn't attempted so often when it was recorded, so there is no answer"))
        trails = rounds[self._round[path]]
        if assignment.attempt > len(trails):
            return Report(usage=NOTHING)
        trail = trails[assignment.attempt - 1]
        if trail.error is not None and not trail.made:
            raise _ending(trail, trail.error)
        await asyncio.to_thread(self._put, assignment.root, trail)
        return Report(trail.summary, trail.refused, trail.transcript, NOTHING)

    def _put(self, root: Path, trail: Trail) -> None:
        for path, made in trail.made.items():
            mode, _, oid = made.partition(" ")
            if mode not in (FILE, PROGRAM, LINK, ABSENT):
                self._refuse(trail, f"{path} was made something that is no file")
            if mode != ABSENT and oid not in self.blobs:
                self._refuse(trail, self.unplayable.get(path, _why_gone(trail)))
            _put(_place(root, path), mode, self.blobs.get(oid, b""))
        for path, (mode, content) in self._base[trail.path].items():
            if path not in trail.made:  # what it began with may have been something else
                _put(_place(root, path), mode, content)

    def _refuse(self, trail: Trail, why: str) -> None:
        self.unplayable[trail.path] = why
        raise Unplayable(f"what was recorded can't be put in place: {why}")


def _ending(trail: Trail, words: str) -> Exception:
    """What ended the recorded attempt."""
    if trail.over == "time":
        return DeadlineExceeded(words)
    return _free(BudgetExhausted(words) if trail.over == "budget" else AgentError(words))


def _free(error: AgentError) -> AgentError:
    error.usage = NOTHING
    return error


def _oids(trail: Trail) -> list[str]:
    return [made.partition(" ")[2] for made in trail.made.values() if not made.startswith(ABSENT)]


def _is_there(trail: Trail, blobs: Mapping[str, bytes]) -> bool:
    return all(oid in blobs for oid in _oids(trail))


async def _made_again(repository: Repository, trail: Trail, why: dict[str, str]) -> dict[str, bytes]:
    """What an attempt made, from its diff, where the repository has forgotten it."""
    if not trail.altered:
        try:
            await make_again(repository, trail.base, trail.diff.encode("utf-8", "surrogateescape"))
        except GitError as error:
            why[trail.path] = f"its diff doesn't fit any more: {error.message}"
            return {}
    found = await contents(repository, _oids(trail))
    if not _is_there(trail, found):
        why[trail.path] = _why_gone(trail)
    return found


def _why_gone(trail: Trail) -> str:
    gone = "the repository doesn't have it any more, and its diff isn't"
    return f"{gone} whole: {trail.altered}" if trail.altered else f"{gone} what was made"


def _place(root: Path, path: str) -> Path:
    """Where a recorded path is in a workspace.

    Raises:
        Unplayable: it leads out of it.
    """
    place = root / path
    above = Path(os.path.realpath(place.parent))
    if ".." in Path(path).parts or path.startswith("/") or not above.is_relative_to(os.path.realpath(root)):
        raise Unplayable(f"what was recorded can't be put in place: {path} is outside of the working copy")
    return place


def _held(root: Path, paths: Iterable[str]) -> dict[str, tuple[str, bytes]]:
    """What is at some paths of a workspace."""
    return {path: _read(_place(root, path)) for path in paths}


def _read(place: Path) -> tuple[str, bytes]:
    if place.is_symlink():
        return LINK, os.fsencode(place.readlink())
    if not place.is_file():
        return ABSENT, b""
    return (PROGRAM if os.access(place, os.X_OK) else FILE), place.read_bytes()


def _put(place: Path, mode: str, content: bytes) -> None:
    place.unlink(missing_ok=True)
    if mode == ABSENT:
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    if mode == LINK:
        place.symlink_to(os.fsdecode(content))
        return
    place.write_bytes(content)
    place.chmod(0o755 if mode == PROGRAM else 0o644)
