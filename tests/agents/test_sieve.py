from __future__ import annotations

from collections.abc import Collection, Sequence

from hypothesis import given
from hypothesis import strategies as st

from fanfold.agents import Verdict
from fanfold.agents.draft import Draft, Edit, Fix, FixId
from fanfold.agents.ruff import Offer
from fanfold.agents.sieve import MAX_TRIALS, Sieve
from fanfold.fix.findings.finding import Finding

LINES = 40
BASE = "".join(f"line{number}\n" for number in range(LINES))


class Marks:
    """Offers one fix for each line: it puts a mark at the line's end."""

    def __init__(self) -> None:
        self.disk = BASE

    async def rewrite(self, draft: Draft, denied: Collection[FixId]) -> Draft:
        fixes = []
        for row, line in enumerate(draft.text.splitlines(), start=1):
            start, end = draft.lines.span(row)
            fix = Fix(draft.id_at(f"R{row % 3}", start), (Edit(end - 1, end - 1, "!"),))
            if "!" not in line and fix.id not in denied:
                fixes.append(fix)
        self.disk = draft.apply(fixes).text
        return draft.apply(fixes)

    def settle(self, draft: Draft) -> None:
        self.disk = draft.text

    def marked(self) -> set[int]:
        return {number for number, line in enumerate(self.disk.splitlines()) if line.endswith("!")}


async def no_findings() -> Sequence[Offer]:
    return ()


def sieve_of(marks: Marks, bad: set[int], *, shown: str, pair: set[int] = frozenset()) -> Sieve:  # type: ignore[assignment]
    async def judge() -> Verdict:
        guilty = sorted(marks.marked() & bad) + ([max(pair)] if pair and pair <= marks.marked() else [])
        if not guilty:
            return Verdict(ok=True, fixed=1)
        if shown == "nothing":
            return Verdict(ok=False, reasons=("a test would go",))
        line = (lambda number: number + 1) if shown == "line" else (lambda _: 1)
        path, name = ("a.py", "") if shown == "line" else ("other.py", "line{}")
        added = tuple(Finding(path, line(one), 1, "mypy", "bad", f'"{name.format(one)}" is gone') for one in guilty)
        return Verdict(ok=False, added=added)

    return Sieve("a.py", marks, judge, no_findings, marks.settle, Draft.of(BASE), {})


SOME = st.sets(st.integers(0, LINES - 1), max_size=8)


@given(SOME, st.sampled_from(["line", "nothing"]))
async def test_exactly_the_guilty_are_refused(bad: set[int], shown: str) -> None:
    marks = Marks()
    sieve = sieve_of(marks, bad, shown=shown)
    await sieve.admit()
    assert marks.marked() == set(range(LINES)) - bad
    assert {Draft.of(BASE).base_lines.number(one.base) - 1 for one in sieve.refused} == bad
    assert sieve.draft.text == marks.disk


@given(SOME)
async def test_findings_on_the_lines_of_their_fixes_take_two_trials(bad: set[int]) -> None:
    sieve = sieve_of(Marks(), bad, shown="line")
    await sieve.admit()
    assert sieve.trials <= 2


@given(st.integers(0, LINES - 1))
async def test_one_guilty_fix_among_many_takes_about_a_logarithm_of_trials(bad: int) -> None:
    sieve = sieve_of(Marks(), {bad}, shown="nothing")
    await sieve.admit()
    assert sieve.trials <= 16


@given(st.sets(st.integers(0, LINES - 1), min_size=2, max_size=2))
async def test_of_two_fixes_that_break_something_together_one_is_made(pair: set[int]) -> None:
    marks = Marks()
    sieve = sieve_of(marks, set(), shown="nothing", pair=pair)
    await sieve.admit()
    assert len(marks.marked()) == LINES - 1
    assert len(marks.marked() & pair) == 1


async def test_it_gives_up_where_every_trial_fails_for_ever() -> None:
    marks = Marks()
    sieve = sieve_of(marks, set(range(LINES)), shown="nothing")
    sieve.trials = MAX_TRIALS - 5
    await sieve.admit()
    assert marks.disk == BASE
    assert sieve.trials <= MAX_TRIALS + 5


async def test_a_refusal_says_what_the_fix_would_do() -> None:
    sieve = sieve_of(Marks(), {3}, shown="line")
    await sieve.admit()
    assert list(sieve.refused.values()) == ["would add bad"]
