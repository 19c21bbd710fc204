"""The user's repository: looked at, never written."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path

from fanfold.git.command import GitError, git, raw, records, text, words
from fanfold.git.diff import LINES, PLAIN, FileDiff, parse_diff
from fanfold.git.trees import GITLINK
from fanfold.process import Completed

OLDEST_GIT = (2, 38)
_FACTS = ("--is-bare-repository", "--is-inside-work-tree", "--show-object-format")
_ABSOLUTE = "--path-format=absolute"
_PLACES = ("--show-toplevel", "--absolute-git-dir", "--git-common-dir")
_BLOB = re.compile(rb"[0-9a-f]+ blob ([0-9]+)")


class RepositoryError(GitError):
    """The repository can't be used as it is: none there, bare, without a commit, an unknown revision, ..."""


@dataclass(frozen=True)
class Entry:
    """One file of a commit; the mode as six octal digits, undecodable bytes of the path as surrogates."""

    path: str
    mode: str
    oid: str


@dataclass(frozen=True)
class WorkingState:
    """What in the checkout isn't committed: paths whose index differs from HEAD, whose file differs from the
    index, and files that git neither tracks nor ignores.
    """

    staged: tuple[str, ...]
    unstaged: tuple[str, ...]
    untracked: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Whether all tracked files are as committed; untracked ones don't count."""
        return not (self.staged or self.unstaged)


@dataclass(frozen=True)
class Identity:
    """Who makes the commits, from the user's configuration."""

    name: str
    email: str


@dataclass(frozen=True)
class Repository:
    """A git repository with a checkout, as it was when it was opened.

    `root` is the checkout's top folder, `git_dir` what belongs to this checkout alone (a linked worktree has its
    own), `common_dir` where objects and refs lie. `head` is a commit id, `branch` its short name, None when
    detached. `submodules` are the paths at HEAD that hold a repository of their own.
    """

    root: Path
    git_dir: Path
    common_dir: Path
    head: str
    branch: str | None
    object_format: str
    submodules: tuple[str, ...]

    @classmethod
    async def open(cls, path: Path) -> Repository:
        """The repository that `path`, a folder, lies in.

        Raises:
            RepositoryError: there is none, it is bare, has no commit yet, belongs to another user; or git is
                missing or too old.
        """
        await _check_git(path)
        object_format, (root, git_dir, common_dir) = await _places(path)
        head, branch = await asyncio.gather(
            git("rev-parse", "--quiet", "--verify", "HEAD^{commit}", cwd=path, ok=(0, 1, 128)),
            git("symbolic-ref", "--quiet", "--short", "HEAD", cwd=path, ok=(0, 1)),
        )
        if head.returncode:
            raise RepositoryError(f"{path} has no commit yet", hint="commit your files first: git add, git commit")
        commit = text(head.stdout).strip()
        entries = await _ls_tree(path, commit)
        return cls(
            root=root,
            git_dir=git_dir,
            common_dir=common_dir,
            head=commit,
            branch=text(branch.stdout).strip() or None,
            object_format=object_format,
            submodules=tuple(entry.path for entry in entries if entry.mode == GITLINK),
        )

    async def resolve(self, rev: str) -> str:
        """The id of the commit that `rev` names.

        Raises:
            RepositoryError: it names none.
        """
        done = await self._git(
            "rev-parse", "--quiet", "--verify", "--end-of-options", f"{rev}^{{commit}}", ok=(0, 1, 128)
        )
        if done.returncode or not (commit := text(done.stdout).strip()):
            raise RepositoryError(f"{rev} is not a commit of {self.root}", hint="git log shows the commits there are")
        return commit

    async def tree(self, commit: str) -> tuple[Entry, ...]:
        """Every file of a commit or tree, in git's order; a submodule is one entry.

        Raises:
            GitError: there is no such commit.
        """
        return await _ls_tree(self.root, commit)

    async def read(self, commit: str, path: str) -> bytes | None:
        """The content of a file at a commit; None = there is no such file.

        Raises:
            GitError: there is no such commit.
        """
        if any(part in ("", ".", "..") for part in path.split("/")):
            return None  # git would take such a name from where it stands
        asked = f"info {commit}^{{tree}}\0contents {commit}:{path}\0"
        done = await self._git("cat-file", "--batch-command", "-z", stdin=raw(asked))
        there, _, answer = done.stdout.partition(b"\n")
        if b" tree " not in there:
            raise GitError(f"there is no commit {commit}")
        header, _, content = answer.partition(b"\n")
        match = _BLOB.fullmatch(header)
        return content[: int(match[1])] if match else None

    async def working_state(self) -> WorkingState:
        """What in the checkout isn't committed; changes not even the index's cached times."""
        done = await self._git(
            "status", "--porcelain=v2", "-z", "--untracked-files=all", "--no-renames", "--ignore-submodules=dirty"
        )
        staged, unstaged, untracked = [], [], []
        for record in records(done.stdout):
            kind, _, rest = text(record).partition(" ")
            if kind == "?":
                untracked.append(rest)
                continue
            codes, path = rest[:2], rest.split(" ", 9 if kind == "u" else 7)[-1]
            if codes[0] != "." or kind == "u":
                staged.append(path)
            if codes[1] != "." or kind == "u":
                unstaged.append(path)
        return WorkingState(tuple(staged), tuple(unstaged), tuple(untracked))

    async def changed_since(self, rev: str) -> frozenset[str]:
        """Paths that HEAD changed since it parted from `rev`, as `git diff rev...HEAD`; deleted ones left out.

        Raises:
            RepositoryError: `rev` is unknown, or has no history in common with HEAD.
        """
        commit = await self.resolve(rev)
        base = await self._git("merge-base", commit, self.head, ok=(0, 1))
        if base.returncode:
            raise RepositoryError(f"{rev} and HEAD have no commit in common")
        parted = text(base.stdout).strip()
        done = await self._git(
            "diff-tree", "-r", "-z", "--name-only", "--no-renames", "--diff-filter=d", parted, self.head
        )
        return frozenset(text(name) for name in records(done.stdout))

    async def identity(self) -> Identity:
        """Who the user is according to git.

        Raises:
            RepositoryError: user.name or user.email isn't set; none is made up.
        """
        try:
            done = await self._git("var", "GIT_AUTHOR_IDENT")
            await self._git("var", "GIT_COMMITTER_IDENT")
        except GitError as error:
            raise RepositoryError(
                "git doesn't know who you are, so nothing can be committed in your name",
                hint='git config --global user.name "Your Name"; git config --global user.email you@example.com',
            ) from error
        match = re.fullmatch(r"(.*) <(.*)> \d+ [+-]\d+\n", text(done.stdout))
        if match is None:
            raise RepositoryError(f"git names an author that can't be read: {text(done.stdout).strip()}")
        return Identity(name=match[1], email=match[2])

    async def patch(self, old: str, new: str) -> bytes:
        """What differs from `old` to `new`, commits or trees, as a patch that `git apply` takes."""
        return (await self._git("diff-tree", "-r", "-p", "--binary", *PLAIN, old, new)).stdout

    async def hunks(self, old: str, new: str) -> dict[str, FileDiff]:
        """Which lines differ from `old` to `new`, commits or trees, by path."""
        return parse_diff((await self._git("diff-tree", "-r", *LINES, old, new)).stdout)

    async def refs(self) -> dict[str, str]:
        """Every ref by its full name, with the object that it names."""
        done = await self._git("for-each-ref", "--format=%(objectname) %(refname)")
        pairs = (line.split(" ", 1) for line in text(done.stdout).splitlines())
        return {name: oid for oid, name in pairs}

    async def _git(self, *args: str, stdin: bytes = b"", ok: tuple[int, ...] = (0,)) -> Completed:
        return await git(*args, cwd=self.root, stdin=stdin, ok=ok)


async def paths_at_head(root: Path) -> tuple[str, ...]:
    """Every file of the commit that is checked out in `root`, one git command where a `Repository` takes many.

    Raises:
        GitError: there is no such commit, or no such folder.
    """
    done = await git("ls-tree", "-r", "-z", "--full-tree", "--name-only", "HEAD", cwd=root)
    return tuple(text(name) for name in records(done.stdout))


async def _check_git(path: Path) -> None:
    if not path.is_dir():  # noqa: ASYNC240 one look
        raise RepositoryError(f"{path} is not a folder", hint="name the repository's folder")
    said = text((await git("version", cwd=path)).stdout).strip()
    match = re.search(r"(\d+)\.(\d+)", said)
    if match is None or (int(match[1]), int(match[2])) < OLDEST_GIT:
        oldest = ".".join(map(str, OLDEST_GIT))
        raise RepositoryError(f"{said} is too old", hint=f"install git {oldest} or newer")


async def _places(path: Path) -> tuple[str, list[Path]]:
    """The object format; and where the checkout's top, its git directory and what it shares with others are."""
    done = await git("rev-parse", *_FACTS, _ABSOLUTE, *_PLACES, cwd=path, ok=(0, 128))
    facts = text(done.stdout).split("\n", len(_FACTS))
    if len(facts) <= len(_FACTS):
        raise _unusable(words(done.stderr), path)
    bare, inside, object_format, places = facts
    if inside != "true":
        kind = "is a bare repository" if bare == "true" else "is inside a git directory, not a checkout"
        raise RepositoryError(f"{path} {kind}", hint="run this in a checkout: git clone makes one")
    if done.returncode:
        raise _unusable(words(done.stderr), path)
    lines = places.split("\n")[:-1]
    if len(lines) != len(_PLACES):  # a path holds a line break
        answers = [await git("rev-parse", _ABSOLUTE, place, cwd=path) for place in _PLACES]
        lines = [text(answer.stdout)[:-1] for answer in answers]
    return object_format, [Path(line) for line in lines]


def _unusable(said: str, path: Path) -> RepositoryError:
    if "dubious ownership" in said:
        return RepositoryError(
            f"{path} belongs to another user, so git does not trust it",
            hint=f"if you do: git config --global --add safe.directory {path}",
        )
    if "not a git repository" in said:
        return RepositoryError(f"{path} is not in a git repository", hint="git init; git add -A; git commit -m start")
    return RepositoryError(f"git rev-parse failed: {said}")


async def _ls_tree(root: Path, commit: str) -> tuple[Entry, ...]:
    done = await git("ls-tree", "-r", "-z", "--full-tree", commit, cwd=root)
    return tuple(_entry(record) for record in records(done.stdout))


def _entry(record: bytes) -> Entry:
    meta, _, name = record.partition(b"\t")
    mode, _, oid = meta.decode().split(" ")
    return Entry(path=text(name), mode=mode, oid=oid)
