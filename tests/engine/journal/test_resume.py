"""Whatever part of a journal there is, a run that goes on comes to the same result."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias
from unittest.mock import ANY

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from fanfold.engine import Done, Failed, Outcome, current_branch, fan_out
from fanfold.engine.journal import FailedBefore, Journal, JournalFenced

# Where there is a RAM disk: each journal that is closed waits for its disk.
RAM = "/dev/shm" if Path("/dev/shm").is_dir() else None

Tree: TypeAlias = "int | list[Tree]"
TREES = st.recursive(st.integers(-3, 20), lambda branches: st.lists(branches, max_size=4), max_leaves=12)


@dataclass
class Sums:
    """A flow that sums up a tree with a fan-out on each level; negative numbers fail, and don't count."""

    journal: Journal
    ran: Counter[str] = field(default_factory=Counter)

    async def of(self, tree: list[Tree]) -> int:
        outcomes = await fan_out(self.journal.wrap(self.branch, name="branch"), tree, limit=3)
        return sum(outcome.value for outcome in outcomes if isinstance(outcome, Done))

    async def branch(self, tree: Any) -> int:
        here = current_branch()
        assert here is not None
        self.ran["/".join(here.path)] += 1
        await asyncio.sleep(0)
        if isinstance(tree, list):
            return await self.of(tree)
        if tree < 0:
            raise ValueError(f"{tree} is negative")
        return int(tree)


async def summed(path: Path, tree: list[Tree]) -> tuple[int, Counter[str]]:
    """The sum, and how often each branch ran."""
    async with Journal.open(path, run="sum", version="1") as journal:
        sums = Sums(journal)
        return await sums.of(tree), sums.ran


def forget_all_but(path: Path, keep: list[bool]) -> set[str]:
    """Take rows out of the journal; the paths of the values that are left."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        numbers = [number for (number,) in connection.execute("SELECT number FROM outcome ORDER BY number")]
        for number, kept in zip(numbers, keep, strict=False):
            if not kept:
                connection.execute("DELETE FROM outcome WHERE number = ?", (number,))
        query = "SELECT replace(branch, ' / ', '/') FROM outcomes WHERE status = 'done'"
        return {branch for (branch,) in connection.execute(query)}


@given(tree=st.lists(TREES, max_size=5), data=st.data())
def test_any_part_of_a_journal_leads_to_the_same_result(tree: list[Tree], data: st.DataObject) -> None:
    async def scenario(path: Path) -> None:
        whole, ran = await summed(path, tree)
        assert all(times == 1 for times in ran.values())
        rows = len(ran)
        prefix = data.draw(st.integers(0, rows), "rows before the crash")
        keep = data.draw(
            st.one_of(st.just([number < prefix for number in range(rows)]), st.lists(st.booleans(), min_size=rows)),
            "rows kept",
        )
        committed = forget_all_but(path, keep)
        result, again = await summed(path, tree)
        assert result == whole
        assert not committed & set(again)
        assert again <= ran
        failing = Counter(str(index) for index, part in enumerate(tree) if isinstance(part, int) and part < 0)
        assert await summed(path, tree) == (whole, failing)

    with tempfile.TemporaryDirectory(dir=RAM) as folder:
        asyncio.run(scenario(Path(folder) / "journal.db"))


def told(outcome: Outcome[int]) -> tuple[int | None, object]:
    """The value of an outcome, and the type of its error."""
    return (outcome.value, ANY) if isinstance(outcome, Done) else (None, type(outcome.error))


class Program(RuleBasedStateMachine):
    """Programs that open one run, use it, crash and go on, against a model of what the journal is to give back."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(dir=RAM)
        self.path = Path(self.folder.name) / "journal.db"
        self.runner = asyncio.Runner()
        self.open: list[tuple[Any, Journal]] = []
        # What counts, by version and place and item, the next one first; what this program has not used of it.
        self.committed: dict[tuple[str, str, int], list[int | None]] = {}
        self.left: dict[tuple[str, str, int], list[int | None]] = {}
        self.version = "1"
        self.keep_failures = False
        self.answers = iter(range(1_000_000))
        self.answer: int | None = None

    @initialize()
    def begin(self) -> None:
        self._open("1", keep_failures=False, close=False)

    @rule(version=st.sampled_from("12"), keep_failures=st.booleans(), close=st.booleans())
    def restart(self, version: str, keep_failures: bool, close: bool) -> None:
        self._open(version, keep_failures=keep_failures, close=close)

    def _open(self, version: str, *, keep_failures: bool, close: bool) -> None:
        if close and self.open:
            self.runner.run(self.open.pop()[0].__aexit__(None, None, None))
        opening = Journal.open(self.path, run="a", version=version, keep_failures=keep_failures, take_over=True)
        self.open.append((opening, self.runner.run(opening.__aenter__())))
        self.version, self.keep_failures = version, keep_failures
        self.left = {
            key: [value for value in values if value is not None or keep_failures]
            for key, values in self.committed.items()
            if key[0] == version
        }

    @rule(place=st.sampled_from("xyz"), item=st.integers(0, 2), fails=st.booleans())
    def run_branch(self, place: str, item: int, fails: bool) -> None:
        new = next(self.answers)
        self.answer = None if fails else new
        wrapped = self.open[-1][1].wrap(self.branch, name="branch")
        outcomes = self.runner.run(fan_out(wrapped, [item], limit=1, key=lambda _: place))
        (outcome,) = outcomes
        key = (self.version, place, item)
        if self.left.get(key):
            assert told(outcome) == (self.left[key].pop(0), FailedBefore)
        else:
            self.committed.setdefault(key, []).append(None if fails else new)
            assert told(outcome) == (None if fails else new, ValueError)

    async def branch(self, _item: int) -> int:
        if self.answer is None:
            raise ValueError
        return self.answer

    @precondition(lambda self: len(self.open) > 1)
    @rule(item=st.integers(3, 5))
    def stale_writer(self, item: int) -> None:
        async def branch(item: int) -> int:
            return item

        (outcome,) = self.runner.run(fan_out(self.open[0][1].wrap(branch), [item], limit=1))
        assert isinstance(outcome, Failed)
        assert isinstance(outcome.error, JournalFenced)

    @invariant()
    def all_that_was_committed_is_there(self) -> None:
        if self.path.exists():
            (summary,) = self.runner.run(Journal.runs(self.path))
            values = [value for outcomes in self.committed.values() for value in outcomes]
            assert summary.done == sum(value is not None for value in values)
            assert summary.failed == sum(value is None for value in values)

    def teardown(self) -> None:
        for opening, _ in self.open:
            self.runner.run(opening.__aexit__(None, None, None))
        self.runner.close()
        self.folder.cleanup()


def test_programs_that_crash_and_go_on_agree_with_the_model() -> None:
    run_state_machine_as_test(Program, settings=settings(stateful_step_count=25))
