"""Where an earlier process of a run was with landing, read from its notes; where the branch is has the last word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fanfold.fix.runlog import Note
from fanfold.git import BranchMoved


@dataclass(frozen=True)
class Restored:
    """What had landed and what had been taken out.

    Args:
        landed: commits by key, in the order of the branch.
        refused: notes of changes that were taken out, by key and tree; the last one of each.
        second_on: the commit that second attempts were made on, None = none had begun.
    """

    landed: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[tuple[str, str], Note] = field(default_factory=dict)
    second_on: str | None = None

    @property
    def commits(self) -> tuple[str, ...]:
        """All that is on the branch, in order."""
        return tuple(self.landed.values())


def restored(notes: Sequence[Note], *, base: str, found: str | None) -> Restored:
    """What the notes of landing come to.

    Args:
        base: the commit that the result branch starts at.
        found: the commit that the branch is at now, None = there is no such branch.
    Raises:
        BranchMoved: it is nowhere where the run put it, or was about to.
    """
    intended = [note for note in notes if note["step"] == "intend"]
    at = found or base
    if intended and at not in (intended[-1]["tip"], intended[-1]["parent"]):
        raise _moved(intended[-1], found)
    if not intended and found is not None:
        raise _moved({"parent": base}, found)
    steps = {note["tip"]: note for note in intended}
    chain: list[Note] = []
    while at != base:
        if at not in steps:
            raise _moved(intended[-1], found)
        chain.append(steps[at])
        at = steps[at]["parent"]
    return Restored(
        landed={key: commit for note in reversed(chain) for key, commit in note["landed"]},
        refused={(note["key"], note["tree"]): note for note in notes if note["step"] in ("sent back", "dropped")},
        second_on=next((note["tip"] for note in notes if note["step"] == "second attempts"), None),
    )


def _moved(last: Note, found: str | None) -> BranchMoved:
    what = "was deleted" if found is None else f"is at {found[:12]}, where the run never put it"
    return BranchMoved(
        f"the result branch {what}: somebody else moved it", hint=f"git log {last['parent']} shows what had landed"
    )
