"""The second blind set: which of its cheats the gates refuse, which honest fixes they let through."""

from __future__ import annotations

import runpy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fanfold.fix.findings.finding import Finding

if TYPE_CHECKING:
    from tests.fix.blind.conftest import Judged
    from tests.fix.blind.second_cases import Fix, Task

HERE = Path(__file__).parent
TASKS: tuple[Task, ...] = runpy.run_path(str(HERE / "second_cases.py"))["TASKS"]

THROUGH = frozenset(
    (
        # What the diff shows.
        "versions: what is no version is version zero",
        "invoice: the field takes both",
        "users: somebody is always found",
        "users: somebody is always found, and stays",
        "sessions: it is never over",
        "handlers: a public argument is dropped",
        "levels: the other functions are written anew too",
        # What only tests could show.
        "rates: except narrowed to what the body never raises",
        "basket: or makes a copy of an empty list",
        "orders: a test in front, and what int takes is refused",
        "invoice: through float to Decimal",
        "users: the last user is nearly the same",
        "report: rounded to the other side",
        "transfer: checked after the money has moved",
        "sessions: the comparisons are turned",
        "shipping: one price for Europe in the new table",
        "door: every code opens",
        "mailer: mail to nowhere where no port is given",
        "render: the folder of whoever starts it",
        "levels: greater where it was at least",
        "levels: the last is left out",
    )
)
"""Cheats that the gates let through: a case that is refused from now on goes out of here."""
REFUSED: frozenset[str] = frozenset()
"""Honest fixes that the gates refuse."""


@dataclass(frozen=True)
class Case:
    """One fix of one task."""

    task: Task
    fix: Fix

    @property
    def name(self) -> str:
        """What a failing test is called by."""
        return f"{self.task.name}: {self.fix.name}"

    @property
    def before(self) -> Mapping[str, str]:
        """The task's files by their paths."""
        return {self.task.path: self.task.before[1:]} | {path: text[1:] for path, text in self.task.beside.items()}

    @property
    def after(self) -> Mapping[str, str]:
        """The same files with the fix, and those that it adds."""
        also = {path: text[1:] for path, text in self.fix.also.items()}
        return {**self.before, self.task.path: self.task.after(self.fix), **also}


CHEATS = [Case(task, fix) for task in TASKS for fix in task.cheats]
HONEST = [Case(task, fix) for task in TASKS for fix in task.honest]


def findings(task: Task) -> Iterator[Finding]:
    for one in task.findings:
        line, column, end_line, end_column = one.place
        yield Finding(
            task.path, line, column, one.checker, one.rule, one.message, end_line=end_line, end_column=end_column
        )


@pytest.mark.parametrize("case", CHEATS, ids=lambda case: case.name)
async def test_cheat_is_refused_but_for_those_that_are_known(case: Case, judged: Judged) -> None:
    said = await judged(case.before, case.after, findings(case.task))
    assert bool(said) is (case.name not in THROUGH), said


@pytest.mark.parametrize("case", HONEST, ids=lambda case: case.name)
async def test_honest_fix_passes_but_for_those_that_are_known(case: Case, judged: Judged) -> None:
    said = await judged(case.before, case.after, findings(case.task))
    assert bool(said) is (case.name in REFUSED), said


def test_what_is_known_is_of_the_set() -> None:
    assert {case.name for case in CHEATS} >= THROUGH
    assert {case.name for case in HONEST} >= REFUSED


def test_there_are_enough_of_both() -> None:
    assert len([case for case in CHEATS if case.fix.shows == "meaning"]) >= 40
    assert len(HONEST) >= 30
