"""Temporary git repositories with fixed authors, dates and configuration."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FIXED = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00+00:00",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00+00:00",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
IDENTITY = "[user]\n\tname = Ada\n\temail = ada@example.com\n"


@dataclass(frozen=True)
class TemporaryRepository:
    """A real repository in a directory of the caller's; every method runs git and waits for it."""

    root: Path

    def git(self, *args: str, stdin: bytes = b"", check: bool = True) -> str:
        """Run git here with fixed identity and dates; its standard output, undecodable bytes kept as surrogates.

        Raises:
            RuntimeError: git failed and `check` is on; with what git said.
        """
        outer = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        done = subprocess.run(  # noqa: S603
            ["git", *args],  # noqa: S607
            cwd=self.root,
            env={**outer, **FIXED},
            input=stdin,
            capture_output=True,
            check=False,
        )
        if check and done.returncode:
            raise RuntimeError(f"git {' '.join(args)}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode(errors="surrogateescape")

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Write files below the root, folders included; text goes out as UTF-8 with its newlines untouched."""
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, files: Mapping[str, str | bytes] | None = None, message: str = "change") -> str:
        """Write `files`, stage everything, commit; the commit's id."""
        self._commit(files or {}, message)
        return self.git("rev-parse", "HEAD").strip()

    def _commit(self, files: Mapping[str, str | bytes], message: str) -> None:
        self.write(files)
        self.git("add", "-A")
        self.git("-c", "maintenance.auto=false", "commit", "-q", "--allow-empty", "-m", message)


def make_repository(root: Path, files: Mapping[str, str | bytes] | None = None) -> TemporaryRepository:
    """A repository at `root` on branch main, with an identity and, where `files` are given, one commit."""
    root.mkdir(parents=True, exist_ok=True)
    repository = TemporaryRepository(root)
    # No template: of the examples of hooks that git would put there each is one more file to make and to remove.
    repository.git("init", "-q", "-b", "main", "--template=")
    for folder in ("hooks", "info"):
        (root / ".git" / folder).mkdir(exist_ok=True)
    with (root / ".git" / "config").open("a") as config:
        config.write(IDENTITY)
    if files is not None:
        repository._commit(files, "base")
    return repository
