"""What was learned, in one SQLite file for all projects; any number of runs may write at once."""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any

from fanfold.fix.learning import queries
from fanfold.fix.learning.figures import Cost, Figures, Progress, Total
from fanfold.fix.learning.file import opened, writing
from fanfold.fix.learning.lesson import Example, Lesson
from fanfold.fix.learning.posterior import NOTHING, Tally, seen, weight

DAY_S = 86_400.0
FORGOTTEN_AFTER_S = 730 * DAY_S
NO_PROJECT = -1


class Store:
    """What was learned, as it lies in one file; each method opens it for as long as it takes.

    A project is told by the place where it is, which never leaves the file.

    Args:
        path: of the file, which is made when it is first written to.
    Raises:
        LearningError: from any method, if the file can't be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def learn(self, place: str, lessons: Iterable[Lesson], examples: Iterable[Example] = ()) -> None:
        """Remember tries of a project; of those that are known already, what they fixed is brought up to date."""
        with opened(self.path) as file, writing(file):
            project = _project(file, place)
            file.executemany(queries.LEARN, ((project, *astuple(lesson)) for lesson in lessons))
            file.executemany(queries.EXAMPLE, ((project, *astuple(example)) for example in examples))
            file.execute(queries.TOO_MANY_EXAMPLES)
            file.execute(queries.FORGET_OLD, (time.time() - FORGOTTEN_AFTER_S,))

    def figures(self, place: str, agents: Iterable[str]) -> Figures:
        """What is known of some agents, this project's figures counting most."""
        now_s = time.time()
        if not self.path.exists():
            return Figures()
        with opened(self.path) as file:
            file.create_function("weight", 1, lambda at_s: weight((now_s - at_s) / DAY_S))
            asked = {"agents": json.dumps(sorted(set(agents))), "project": _known(file, place)}
            tallies = {
                (agent, rule, bool(is_first), bool(own)): Tally(won, lost)
                for agent, rule, is_first, own, won, lost in file.execute(queries.TALLIES, asked)
            }
            costs = {agent: Cost(*figures) for agent, *figures in file.execute(queries.COSTS, asked)}
        return Figures(_weighed(tallies, first=True), _weighed(tallies, first=False), costs)

    def examples(self, place: str, rules: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Verified diffs of a project, the newest first, by checker and rule as in "ruff F401"."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for rule, diff in self._rows(queries.EXAMPLES, {"place": place, "rules": json.dumps(sorted(set(rules)))}):
            found[rule].append(diff)
        return {rule: tuple(diffs) for rule, diffs in found.items()}

    def totals(self, place: str | None = None) -> list[Total]:
        """What each agent did with each rule, in one project or (None) in all."""
        return [Total(**row) for row in self._of(queries.TOTALS, place)]

    def agents(self, place: str | None = None) -> list[Total]:
        """What each agent did with all rules together, in one project or (None) in all."""
        return [Total(**row) for row in self._of(queries.OF_AGENTS, place)]

    def progress(self, place: str | None = None) -> list[Progress]:
        """What each agent did day by day, in one project or (None) in all."""
        return [Progress(*row) for row in self._of(queries.PROGRESS, place)]

    def lessons(self, place: str | None = None) -> list[tuple[str, Lesson]]:
        """All that is remembered of tries, in the order of time, each with a name of its project that tells nothing."""
        return [
            (token, Lesson(**dict(zip(queries.LESSON, told, strict=True))))
            for token, *told in self._of(queries.LESSONS, place)
        ]

    def take_in(self, lessons: Iterable[tuple[str, Lesson]]) -> int:
        """Add lessons from elsewhere, each with its project's name there; how many weren't known yet."""
        with opened(self.path) as file, writing(file):
            added = 0
            for token, lesson in lessons:
                file.execute("INSERT OR IGNORE INTO projects (token) VALUES (?)", (token,))
                added += file.execute(queries.TAKE_IN, (token, *astuple(lesson))).rowcount
            return added

    def forget(self, place: str | None = None) -> int:
        """Forget one project, or (None) all; how many tries that were."""
        if not self.path.exists():
            return 0
        with opened(self.path) as file:
            chosen = {"project": None if place is None else _known(file, place)}
            with writing(file):
                ((count,),) = file.execute(queries.COUNT, chosen)
                file.execute(queries.FORGET, chosen)
            file.execute("VACUUM")
        return int(count)

    def _of(self, query: str, place: str | None) -> list[sqlite3.Row]:
        if not self.path.exists():
            return []
        with opened(self.path) as file:
            file.row_factory = sqlite3.Row
            return file.execute(query, {"project": None if place is None else _known(file, place)}).fetchall()

    def _rows(self, query: str, told: dict[str, Any]) -> list[tuple[Any, ...]]:
        if not self.path.exists():
            return []
        with opened(self.path) as file:
            return file.execute(query, told).fetchall()


def _weighed(tallies: Mapping[tuple[str, str, bool, bool], Tally], *, first: bool) -> dict[str, dict[str, Tally]]:
    """What was seen by agent and rule; in keys the last part says whether it was in this project."""
    found: defaultdict[str, dict[str, Tally]] = defaultdict(dict)
    for agent, rule in {(agent, rule) for agent, rule, is_first, _ in tallies if is_first == first}:
        own, others = (tallies.get((agent, rule, first, here), NOTHING) for here in (True, False))
        found[agent][rule] = seen(own, others)
    return dict(found)


def _project(file: sqlite3.Connection, place: str) -> int:
    file.execute("INSERT OR IGNORE INTO projects (token, place) VALUES (?, ?)", (secrets.token_hex(8), place))
    return _known(file, place)


def _known(file: sqlite3.Connection, place: str) -> int:
    found = file.execute("SELECT id FROM projects WHERE place = ?", (place,)).fetchone()
    return NO_PROJECT if found is None else int(found[0])
