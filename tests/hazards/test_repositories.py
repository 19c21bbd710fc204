"""What kind of repository it is, where it lies, and how its user has set it up."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fanfold.testing.repositories import TemporaryRepository, make_repository

from .harness import BROKEN, FIXED, Scene, make_scene

GIT_WORKS = "assert git('log', '-p').stdout and not git('diff', '--exit-code', 'HEAD').returncode; fix()"
"""What agents read of a repository is there for them."""

FILES = {"a.py": BROKEN, "pkg/b.py": BROKEN, "left/out.py": BROKEN}


def identified(root: Path) -> TemporaryRepository:
    user = TemporaryRepository(root)
    user.git("config", "user.name", "Ada")
    user.git("config", "user.email", "ada@example.com")
    return user


def origin(where: Path) -> TemporaryRepository:
    made = make_repository(where / "origin", FILES)
    made.commit({"a.py": BROKEN + "# second\n"})
    made.git("config", "uploadpack.allowFilter", "true")
    return made


def detached_with_packed_refs_and_an_old_index(where: Path) -> TemporaryRepository:
    user = make_repository(where / "project", FILES)
    user.commit({"a.py": BROKEN + "# second\n"})
    user.git("tag", "v1")
    user.git("pack-refs", "--all")
    user.git("gc", "-q", "--prune=now")
    user.git("config", "index.version", "4")
    user.git("update-index", "--index-version", "4")
    user.git("switch", "-q", "--detach", "HEAD")
    return user


def shallow(where: Path) -> TemporaryRepository:
    origin(where).git("clone", "-q", "--depth", "1", f"file://{where}/origin", str(where / "project"))
    return identified(where / "project")


def partial_and_sparse(where: Path) -> TemporaryRepository:
    origin(where).git("clone", "-q", "--filter=blob:none", "--sparse", f"file://{where}/origin", str(where / "project"))
    user = identified(where / "project")
    user.git("sparse-checkout", "set", "pkg")
    return user


def sparse_with_a_sparse_index(where: Path) -> TemporaryRepository:
    user = make_repository(where / "project", FILES)
    user.git("sparse-checkout", "set", "--cone", "--sparse-index", "pkg")
    return user


def linked_worktree_with_a_split_index(where: Path) -> TemporaryRepository:
    main = make_repository(where / "main", FILES)
    main.git("worktree", "add", "-q", "-b", "side", str(where / "project"))
    user = TemporaryRepository(where / "project")
    user.git("config", "core.splitIndex", "true")
    user.git("config", "splitIndex.maxPercentChange", "0")
    user.git("update-index", "--split-index")
    return user


def sha256_with_an_untracked_cache(where: Path) -> TemporaryRepository:
    root = where / "project"
    subprocess.run(["git", "init", "-q", "-b", "main", "--object-format=sha256", str(root)], check=True)
    user = make_repository(root, FILES)
    user.git("config", "core.untrackedCache", "true")
    user.git("update-index", "--force-untracked-cache")
    user.git("status")
    return user


def signing(where: Path) -> TemporaryRepository:
    user = make_repository(where / "project", FILES)
    key = where / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    (where / "signers").write_text(f"ada@example.com {key.with_suffix('.pub').read_text()}")
    settings = {
        "gpg.format": "ssh", "commit.gpgSign": "true", "user.signingKey": str(key),
        "gpg.ssh.allowedSignersFile": str(where / "signers"),
    }  # fmt: skip
    for name, value in settings.items():
        user.git("config", name, value)
    return user


def submodules(where: Path) -> TemporaryRepository:
    inner = make_repository(where / "inner", FILES)
    user = make_repository(where / "project", FILES)
    for name in ("ready", "sub/bare"):
        user.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner.root), name)
    user.commit()
    user.git("submodule", "--quiet", "deinit", "-f", "sub/bare")
    user.git("config", "submodule.recurse", "true")
    (user.root / "ready/a.py").write_text(BROKEN + "dirty = 1\n")
    return user


KINDS = (
    detached_with_packed_refs_and_an_old_index,
    shallow,
    partial_and_sparse,
    sparse_with_a_sparse_index,
    linked_worktree_with_a_split_index,
    sha256_with_an_untracked_cache,
    signing,
    submodules,
)


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_repository_of_every_kind_gets_its_result_and_stays_as_it_is(
    tmp_path: Path, make: Callable[[Path], TemporaryRepository]
) -> None:
    scene = Scene(tmp_path, make(tmp_path))
    scene.acts["a.py"] = GIT_WORKS
    ran = scene.fix()
    assert (ran.code, set(scene.changed(ran))) == (0, set(FILES)), ran.told
    assert scene.blob(ran, "pkg/b.py") == FIXED.encode()
    if make is signing:
        log = scene.user.git("log", "--format=%G?", f"main..{ran.branch}")
        assert set(log.split()) == {"G"}


def test_what_an_agent_does_in_a_submodule_s_folder_is_no_part_of_the_result(tmp_path: Path) -> None:
    scene = Scene(tmp_path, submodules(tmp_path))
    scene.acts = {
        "a.py": "fix(); pathlib.Path('ready/mine.py').write_text('x = 1\\n')",
        "left/out.py": "fix(); git('init', '-q', 'ready'); git('-C', 'ready', 'commit', '--allow-empty', '-qm', 'x')",
        "pkg/b.py": "fix(); os.rmdir('ready'); os.symlink(main, 'ready')",
    }
    ran = scene.fix()
    assert set(scene.changed(ran)) <= set(FILES), ran.told


ODD_FOLDERS = ("with space, comma:colon", 'quo\'te "and" $dollar', "back\\slash caf\u00e9[*]")


@pytest.mark.parametrize("name", ODD_FOLDERS)
def test_repository_workspaces_and_agent_in_folders_of_odd_names(tmp_path: Path, name: str) -> None:
    scene = make_scene(tmp_path / name, name=f"{name}\nand a line")
    scene.acts["a.py"] = GIT_WORKS
    ran = scene.fix("--apply", touching=lambda _: True)
    assert (ran.code, ran.report.get("applied")) == (0, True), ran.told
    assert (scene.user.root / "a.py").read_text() == FIXED


def test_no_home_at_all(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    scene.wrapper = ("env", "-u", "HOME", "-u", "USER")
    ran = scene.fix("--workspaces", str(tmp_path / "home/.cache/fanfold"))
    assert (ran.code, scene.changed(ran)) == (0, {"a.py": "100644"}), ran.told


def bare(where: Path) -> TemporaryRepository:
    origin(where).git("clone", "-q", "--bare", str(where / "origin"), str(where / "project"))
    return identified(where / "project")


def empty(where: Path) -> TemporaryRepository:
    return make_repository(where / "project")


def without_a_name(where: Path) -> TemporaryRepository:
    user = make_repository(where / "project", FILES)
    user.git("config", "--unset", "user.name")
    user.git("config", "--unset", "user.email")
    return user


def with_a_branch_named_fanfold(where: Path) -> TemporaryRepository:
    user = make_repository(where / "project", FILES)
    user.git("branch", "fanfold")
    return user


def without_head(where: Path) -> TemporaryRepository:
    user = make_repository(where / "project", FILES)
    user.git("switch", "-q", "--orphan", "nothing")
    return user


def signing_with_a_key_that_is_gone(where: Path) -> TemporaryRepository:
    user = signing(where)
    (where / "key").unlink()
    return user


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (bare, "bare"),
        (empty, "no commit"),
        (without_head, "no commit"),
        (without_a_name, "git doesn't know who you are"),
        (with_a_branch_named_fanfold, "branch fanfold is in the way"),
    ],
)
def test_repository_that_can_not_be_worked_on_is_refused_with_what_to_do(
    tmp_path: Path, make: Callable[[Path], TemporaryRepository], words: str
) -> None:
    scene = Scene(tmp_path, make(tmp_path))
    ran = scene.fix(sound=make is not without_head)
    assert (ran.code, ran.report) == (2, {})
    assert words in ran.words
    assert "hint: " in ran.words


def test_commit_that_can_not_be_signed_lands_nothing_unsigned(tmp_path: Path) -> None:
    scene = Scene(tmp_path, signing_with_a_key_that_is_gone(tmp_path))
    ran = scene.fix(settled=False)  # it goes on once the key is back
    assert (ran.code != 0, ran.branch) == (True, None), ran.told
    assert "key" in ran.told


def test_folder_that_is_no_repository_is_refused(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    (tmp_path / "other").mkdir()
    ran = scene.fix(below="../other")
    assert (ran.code, [*(tmp_path / "other").iterdir()]) == (2, [])
    assert "is not in a git repository" in ran.words
