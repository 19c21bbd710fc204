"""One branch for each file: its name says which, git takes it, and all are made or none."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.git import LandError, Repository
from fanfold.git.branches import branch_names, make_branches
from fanfold.testing.repositories import TemporaryRepository

PATHS = [
    "a.py",
    "src/pkg/mod.py",
    "src/.hidden.py",
    "with space.py",
    "tilde~caret^.py",
    "what?.py",
    "star*.py",
    "[x].py",
    "two..dots.py",
    "x@{y}.py",
    "held.lock",
    "folder.lock/a.py",
    "über/straße.py",
    "line\nbreak.py",
    "back\\slash.py",
    "colon:.py",
    "-dash.py",
    "@",
]


def git_takes(name: str) -> bool:
    done = subprocess.run(["git", "check-ref-format", f"refs/heads/{name}".encode()], check=False)
    return done.returncode == 0


def stand_apart(names: list[str]) -> bool:
    return all(one == other or not f"{one}/".startswith(f"{other}/") for one in names for other in names)


def test_a_path_that_git_takes_as_a_name_is_the_name() -> None:
    assert branch_names("fanfold/run", ["src/pkg/mod.py", "a.py"]) == {
        "a.py": "fanfold/run/a.py",
        "src/pkg/mod.py": "fanfold/run/src/pkg/mod.py",
    }


@pytest.mark.parametrize("path", PATHS)
def test_git_takes_the_name_of_any_path(path: str) -> None:
    [name] = branch_names("fanfold/run", [path]).values()
    assert git_takes(name)
    assert name.startswith("fanfold/run/")


def test_paths_that_look_alike_have_names_of_their_own() -> None:
    names = branch_names("r", ["a b.py", "a-b.py", "a?b.py", "x", "x./y"])
    assert len(set(names.values())) == len(names)
    assert stand_apart(list(names.values()))


def test_a_name_that_is_to_stay_free_does() -> None:
    names = branch_names("r", ["all", "all/a.py", "b.py"], taken=["r/all"])
    assert names["b.py"] == "r/b.py"
    assert stand_apart(["r/all", *names.values()])


@given(
    st.sets(
        st.lists(st.text("ab.~ -/lock", min_size=1, max_size=6), min_size=1, max_size=3).map("/".join),
        min_size=1,
        max_size=8,
    )
)
def test_whatever_the_paths_names_differ_and_none_is_a_folder_of_another(paths: set[str]) -> None:
    names = branch_names("r", paths)
    assert set(names) == paths
    assert len(set(names.values())) == len(names)
    assert stand_apart(list(names.values()))


async def test_branches_are_made_at_their_commits(user: TemporaryRepository) -> None:
    head = user.git("rev-parse", "HEAD").strip()
    names = branch_names("fanfold/run", PATHS)
    await make_branches(await Repository.open(user.root), dict.fromkeys(names.values(), head))
    made = user.git("for-each-ref", "--format=%(refname:short)", "refs/heads/fanfold").splitlines()
    assert sorted(made) == sorted(names.values())


async def test_one_that_is_there_already_means_that_none_is_made(user: TemporaryRepository) -> None:
    head = user.git("rev-parse", "HEAD").strip()
    user.git("branch", "fanfold/run/b.py")
    with pytest.raises(LandError, match="each file"):
        await make_branches(await Repository.open(user.root), {"fanfold/run/a.py": head, "fanfold/run/b.py": head})
    assert user.git("branch", "--list", "fanfold/run/a.py") == ""
