"""Trees are read, compared and spliced as git itself does it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fanfold.git import GitError, Repository
from fanfold.git.objects import Objects, ObstructedError
from fanfold.git.trees import Node, parse_tree, tree_id
from fanfold.testing.repositories import TemporaryRepository, make_repository

# Few names of few letters, so that files and folders often meet; `a` sorts apart from `a/` beside `a.b` and `a0`.
NAMES = st.sampled_from(["a", "a.b", "a0", "b", "c d", "é"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
EDITS = st.lists(st.tuples(PATHS, st.booleans()), min_size=1, max_size=8)
MODES = ("100644", "100755", "120000")


def no_clash(paths: set[str]) -> bool:
    return not any(path.startswith(f"{other}/") for path in paths for other in paths)


class Splicing:
    """One repository for all examples: what matters is the tree that comes out."""

    def __init__(self, root: Path) -> None:
        self.user = make_repository(root, {"x": "x"})
        self.blob = self.user.git("rev-parse", "HEAD:x").strip()

    def tree_by_git(self, files: dict[str, str]) -> str:
        lines = "".join(f"{mode} {self.blob}\t{path}\0" for path, mode in files.items())
        self.user.git("read-tree", "--empty")
        self.user.git("update-index", "-z", "--index-info", stdin=lines.encode())
        return self.user.git("write-tree").strip()

    async def spliced(self, start: str, edits: dict[str, Node | None]) -> str:
        async with Objects(await Repository.open(self.user.root)) as objects:
            oid = await objects.splice(start, edits)
            differing = [path for path, _, _ in await objects.differences(start, oid)]
            listed = self.user.git("diff-tree", "-r", "-z", "--name-only", "--no-renames", start, oid)
            assert sorted(differing) == sorted(listed.split("\0")[:-1])
            return oid


@pytest.fixture(scope="module")
def splicing(tmp_path_factory: pytest.TempPathFactory) -> Splicing:
    return Splicing(tmp_path_factory.mktemp("splicing") / "user")


@given(st.sets(PATHS, max_size=6).filter(no_clash), EDITS, st.sampled_from(MODES))
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_splicing_makes_the_tree_that_git_makes(
    splicing: Splicing, start: set[str], edits: list[tuple[str, bool]], mode: str
) -> None:
    files = dict.fromkeys(sorted(start), "100644")
    wanted = dict(files)
    edits = [(path, adds) for path, adds in edits if adds or path in files]
    for path, adds in edits:
        wanted.pop(path, None)
        if adds:
            wanted[path] = mode
    if not no_clash(set(wanted)):
        return
    changes: dict[str, Node | None] = {
        path: Node(wanted[path], splicing.blob) if path in wanted else None for path, _ in edits
    }
    spliced = asyncio.run(splicing.spliced(splicing.tree_by_git(files), changes))
    assert spliced == splicing.tree_by_git(wanted)
    assert splicing.user.git("ls-tree", "-r", "-z", spliced).count("\0") == len(wanted)


@pytest.mark.parametrize("path", ["pkg", "a.py/x"])
async def test_a_file_and_a_folder_never_replace_one_another_unasked(user: TemporaryRepository, path: str) -> None:
    async with Objects(await Repository.open(user.root)) as objects:
        root = await objects.root_of(user.git("rev-parse", "HEAD").strip())
        blob = Node("100644", user.git("rev-parse", "HEAD:a.py").strip())
        with pytest.raises(ObstructedError):
            await objects.splice(root, {path: blob})


async def test_objects_that_are_not_there_are_named(user: TemporaryRepository) -> None:
    async with Objects(await Repository.open(user.root)) as objects:
        await objects.require([user.git("rev-parse", "HEAD:a.py").strip()])
        user.git("gc", "-q")
        await objects.require([user.git("rev-parse", "HEAD:a.py").strip()])
        for missing in (objects.require(["1" * 40]), objects.root_of("1" * 40), objects.tree("1" * 40)):
            with pytest.raises(GitError, match="1" * 40):
                await missing


async def test_a_tree_has_the_id_that_git_gave_it(user: TemporaryRepository) -> None:
    user.commit({"a/x": "x", "a.b": "x", "a0": "x"})
    async with Objects(await Repository.open(user.root)) as objects:
        root = await objects.root_of(user.git("rev-parse", "HEAD").strip())
        assert tree_id(await objects.tree(root), "sha1") == root
        assert parse_tree(b"", 20) == {}
        assert (await objects.find(root, "a/x")) == Node("100644", user.git("rev-parse", "HEAD:a/x").strip())
        for path in ("a/x/y", "absent/x", "a/absent"):
            assert await objects.find(root, path) is None


async def test_trees_that_pass_by_are_forgotten_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fanfold.git.objects._REMEMBERED", 50)
    user = make_repository(tmp_path, {f"d/{n}": f"{n}\n" for n in range(10)})
    repository = await Repository.open(tmp_path)
    blob = Node("100644", user.git("rev-parse", "HEAD:d/1").strip())
    async with Objects(repository) as objects:
        base = await objects.root_of(repository.head)
        await objects.load(base)
        made = [await objects.splice(base, {f"d/new{n}": blob}) for n in range(40)]
        assert sum(len(tree) for tree in objects.trees.values()) < 100
        assert objects.count(base) == 10
        for n, tree in enumerate(made):
            assert await objects.differences(base, tree) == [(f"d/new{n}", None, blob)]
            await objects.load(tree)
            assert objects.count(tree) == 11
