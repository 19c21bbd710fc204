"""At whose door a change is laid."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fanfold.fix.attempts.escape import Lookout, Stretch, laid_at, words_for
from fanfold.git import Repository
from fanfold.git.footprint import Footprint, Touched, footprint
from fanfold.testing.repositories import make_repository

S = 1_000_000_000
MINE, SIDE, LATER = Stretch("a.py", 10 * S, 20 * S), Stretch("b.py", 15 * S, None), Stretch("c.py", 30 * S, 40 * S)
ALL = (MINE, SIDE, LATER)

CASES = {
    "while it worked": (Touched("x.py", 12 * S), True),
    "before": (Touched("x.py", 9 * S), False),
    "after": (Touched("x.py", 21 * S), False),
    "at a time that nobody knows": (Touched("x.py"), True),
    "its own file": (Touched("a.py", 12 * S), True),
    "the file of one that worked meanwhile": (Touched("b.py", 16 * S), False),
    "the file of one that worked later": (Touched("c.py", 12 * S), True),
    "what git keeps": (Touched(".git/config"), True),
}


@pytest.mark.parametrize(("change", "is_mine"), CASES.values(), ids=CASES)
def test_a_change_is_laid_at_the_door_of_those_who_worked_then(change: Touched, is_mine: bool) -> None:
    assert laid_at(MINE, [change], ALL) == ([change] if is_mine else [])


def test_what_two_may_have_changed_is_laid_at_both_their_doors() -> None:
    change = Touched("x.py", 18 * S)
    assert laid_at(MINE, [change], ALL) == laid_at(SIDE, [change], ALL) == [change]


def test_a_long_list_is_cut() -> None:
    assert words_for([Touched(f"{n}.py") for n in range(8)]) == "0.py, 1.py, 2.py, 3.py, 4.py and 3 more"


@pytest.fixture
async def lookout(tmp_path: Path) -> Lookout:
    return Lookout(await Repository.open(make_repository(tmp_path / "user", {"a.py": "a\n", "b.py": "b\n"}).root))


async def test_a_change_while_nobody_works_is_nobody_s(lookout: Lookout) -> None:
    async with lookout.over("a.py") as first:
        pass
    (lookout.repository.root / "b.py").write_text("the user's\n")
    await asyncio.sleep(0.1)
    async with lookout.over("a.py") as second:
        await asyncio.sleep(0.1)
    assert first == second == []


async def test_a_change_of_the_user_s_while_agents_end_one_after_another_is_laid_at_those_at_work(
    lookout: Lookout,
) -> None:
    async with lookout.over("a.py") as long:
        async with lookout.over("b.py") as short:
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.1)
        (lookout.repository.root / "other.py").write_text("new\n")
    assert [one.path for one in long] == ["other.py"]
    assert short == []


async def test_a_change_is_told_though_the_agent_failed(lookout: Lookout) -> None:
    found_later: list[list[Touched]] = []

    async def fail() -> None:
        async with lookout.over("a.py") as told:
            found_later.append(told)
            (lookout.repository.root / "b.py").write_text("strayed\n")
            raise ValueError("it failed")

    with pytest.raises(ValueError, match="it failed"):
        await fail()
    assert [one.path for one in found_later[0]] == ["b.py"]


async def test_agents_that_end_together_share_a_look(lookout: Lookout, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    async def counted(repository: Repository, before: Footprint | None = None) -> Footprint:
        nonlocal looks
        looks += 1
        return await footprint(repository, before)

    monkeypatch.setattr("fanfold.fix.attempts.escape.footprint", counted)
    gate = asyncio.Event()

    async def work(path: str) -> None:
        async with lookout.over(path):
            await gate.wait()

    async with asyncio.TaskGroup() as tasks:
        for number in range(20):
            tasks.create_task(work(f"{number}.py"))
        await asyncio.sleep(0.5)
        gate.set()
    assert looks <= 4
