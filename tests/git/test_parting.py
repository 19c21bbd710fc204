"""Where branches parted, and files that have other names by now."""

from __future__ import annotations

from pathlib import Path

import pytest

from fanfold.git import Hunk, Repository, RepositoryError
from fanfold.git.parting import followed, parted_from, trunk_of
from fanfold.testing.repositories import TemporaryRepository, make_repository


def cloned(tmp_path: Path, branch: str = "main") -> TemporaryRepository:
    origin = make_repository(tmp_path / "origin", {"a.txt": "1\n"})
    if branch != "main":
        origin.git("branch", "-m", branch)
    origin.git("clone", "-q", str(origin.root), str(tmp_path / "clone"))
    return TemporaryRepository(tmp_path / "clone")


async def trunk(repository: TemporaryRepository) -> str:
    return await trunk_of(await Repository.open(repository.root))


async def test_the_remotes_default_branch_is_what_branches_come_from(tmp_path: Path) -> None:
    repository = cloned(tmp_path, "develop")
    assert await trunk(repository) == "origin/develop"
    repository.git("checkout", "-q", "-b", "feature")
    assert await trunk(repository) == "origin/develop"
    repository.git("checkout", "-q", "--detach")
    assert await trunk(repository) == "origin/develop"


async def test_without_a_known_default_the_usual_names_and_then_the_upstream_are(tmp_path: Path) -> None:
    repository = cloned(tmp_path)
    repository.git("remote", "set-head", "origin", "--delete")
    assert await trunk(repository) == "origin/main"
    other = cloned(tmp_path / "other", "develop")
    other.git("remote", "set-head", "origin", "--delete")
    assert await trunk(other) == "origin/develop"


async def test_without_a_remote_it_is_a_main_branch_but_not_the_one_that_one_stands_on(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.txt": "1\n"})
    with pytest.raises(RepositoryError) as raised:
        await trunk(repository)
    assert "--only-new=" in (raised.value.hint or "")
    repository.git("checkout", "-q", "-b", "feature")
    assert await trunk(repository) == "main"


async def test_branches_part_at_the_newest_commit_that_they_share(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.txt": "1\n"})
    shared = repository.commit({"a.txt": "2\n"})
    repository.git("checkout", "-q", "-b", "feature")
    repository.commit({"a.txt": "3\n"})
    repository.git("checkout", "-q", "main")
    repository.commit({"b.txt": "1\n"})
    repository.git("checkout", "-q", "feature")
    assert await parted_from(await Repository.open(repository.root), "main") == shared


async def test_a_history_of_its_own_parts_nowhere(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.txt": "1\n"})
    repository.git("checkout", "-q", "--orphan", "alone")
    repository.commit({"b.txt": "1\n"})
    with pytest.raises(RepositoryError, match="no commit in common") as raised:
        await parted_from(await Repository.open(repository.root), "main")
    assert "shallow" in (raised.value.hint or "")


async def test_a_renamed_file_is_followed_with_its_lines(tmp_path: Path) -> None:
    text = "".join(f"line {number}\n" for number in range(20))
    repository = make_repository(tmp_path / "r", {"old name.py": text, "same.py": "1\n"})
    old = repository.git("rev-parse", "HEAD").strip()
    repository.git("mv", "old name.py", "new\tname é.py")
    new = repository.commit({"new\tname é.py": f"first\n{text}", "same.py": "2\n"})
    diffs = await followed(await Repository.open(repository.root), old, new)
    assert {path: diff.old_path for path, diff in diffs.items()} == {"new\tname é.py": "old name.py", "same.py": None}
    assert diffs["new\tname é.py"].hunks == (Hunk(0, 0, 1, 1),)
