"""Write commits in the user's name, or as drafts that no ref is to name."""

from __future__ import annotations

import os
import re
import tempfile
import time
from dataclasses import dataclass

from fanfold.git.command import UNSYNCED, GitError, git, raw, text
from fanfold.git.coprocess import Coprocess, lines
from fanfold.git.repository import Repository

_NOBODY = "fanfold <fanfold@localhost>"


@dataclass(frozen=True)
class _Habits:
    """How the user commits: both identities as `Name <address>`, and whether commits are signed."""

    author: str
    committer: str
    signs: bool


class Commits:
    """Writes one commit after another through a long-lived git process, as `git commit-tree` would.

    Signed ones are left to `git commit-tree`, which runs the user's signing program.
    """

    def __init__(self, repository: Repository) -> None:
        self._root = repository.root
        self._places = {"GIT_DIR": str(repository.git_dir)}
        self._habits: _Habits | None = None
        command = ("hash-object", "-t", "commit", "-w", "--no-filters", "--stdin-paths")
        self._writer = Coprocess(*command, cwd=self._root, places=self._places, settings=UNSYNCED)

    async def close(self) -> None:
        """End the process; a later commit would start another one."""
        await self._writer.close()

    async def write(self, tree: str, parent: str | None, message: str) -> str:
        """A commit by the user, signed where the user signs; its id.

        Raises:
            GitError: no identity is configured, signing failed, or the message can't be in a commit.
        """
        if self._habits is None:
            self._habits = await self._learn()
        if self._habits.signs:
            parents = ("-p", parent) if parent else ()
            command = ("commit-tree", "--gpg-sign", *parents, "-F", "-", tree)
            done = await git(
                *command, cwd=self._root, places=self._places, stdin=raw(message), settings=UNSYNCED, keep_daemons=True
            )
            return text(done.stdout).strip()
        return await self._write(tree, parent, message, self._habits.author, self._habits.committer)

    async def draft(self, tree: str, parent: str | None, message: str) -> str:
        """A commit by nobody, unsigned; its id. Needs no identity."""
        return await self._write(tree, parent, message, _NOBODY, _NOBODY)

    async def _learn(self) -> _Habits:
        signs = await git(
            "config", "--type=bool", "--get", "commit.gpgsign", cwd=self._root, places=self._places, ok=(0, 1)
        )
        author, committer = [
            re.sub(r" \d+ [+-]\d+\n?$", "", text((await git("var", name, cwd=self._root)).stdout))
            for name in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT")
        ]
        return _Habits(author, committer, signs.stdout.strip() == b"true")

    async def _write(self, tree: str, parent: str | None, message: str, author: str, committer: str) -> str:
        if "\0" in message:
            raise GitError("a commit message can't hold a NUL character")
        now = f"{int(time.time())} {time.strftime('%z')}"
        header = [f"tree {tree}", *([f"parent {parent}"] if parent else []), f"author {author} {now}",
                  f"committer {committer} {now}"]  # fmt: skip
        content = "\n".join([*header, "", message if message.endswith("\n") else f"{message}\n"])
        file, path = tempfile.mkstemp(prefix="fanfold-commit-")
        try:
            with os.fdopen(file, "wb") as stream:
                stream.write(raw(content))
            [[oid]] = await self._writer.ask(os.fsencode(path) + b"\n", lambda answer: lines(answer, 1))
        finally:
            os.unlink(path)  # noqa: PTH108 as mkstemp names it
        return oid
