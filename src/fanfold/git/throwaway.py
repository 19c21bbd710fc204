"""The git directory that an agent sees: its own refs, index and configuration over the user's real objects."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from fanfold.git.command import git, raw, records, text
from fanfold.git.repository import Repository
from fanfold.git.sweep import remove

# What decides how files are compared and converted; nothing that runs a program or names a place.
_COPIED = frozenset(
    f"core.{name}" for name in ("autocrlf", "eol", "filemode", "ignorecase", "precomposeunicode", "symlinks")
)
_FIXED = """[core]
\trepositoryformatversion = 1
\tbare = false
\thooksPath = hooks
\tfsmonitor = false
\tuntrackedCache = false
\tsplitIndex = false
\tsparseCheckout = false
[gc]
\tauto = 0
[maintenance]
\tauto = false
[extensions]
\tobjectFormat = {object_format}
"""


@dataclass(frozen=True)
class Throwaway:
    """What every throwaway git directory over one repository is made from.

    Nothing that is done with git in it reaches the repository: it shares objects alone, by an alternates file,
    and git writes nothing to an alternate.
    """

    config: bytes
    alternates: bytes
    exclude: bytes
    shallow: bytes | None

    @classmethod
    async def over(cls, repository: Repository) -> Throwaway:
        """The parts as the repository has them now."""
        done = await git("config", "--list", "-z", "--local", cwd=repository.root, ok=(0, 1))
        lines = [_FIXED.format(object_format=repository.object_format)]
        for record in records(done.stdout):
            key, _, value = text(record).partition("\n")
            if key in _COPIED:
                lines.append(f"[core]\n\t{key.partition('.')[2]} = {quoted(value)}\n")
        common = repository.common_dir
        return cls(
            config=raw("".join(lines)),
            alternates=raw(quoted(str(common / "objects")) + "\n"),
            exclude=_content(common / "info" / "exclude") or b"",
            shallow=_content(common / "shallow"),
        )

    def make(self, git_dir: Path, *, head: str, index: Path) -> None:
        """A fresh git directory, whatever stands there: detached at the commit `head`, with a copy of `index`."""
        remove(os.fsencode(git_dir))
        for folder in ("objects/info", "objects/pack", "refs/heads", "refs/tags", "info", "hooks"):
            (git_dir / folder).mkdir(parents=True)
        (git_dir / "HEAD").write_text(f"{head}\n")
        (git_dir / "config").write_bytes(self.config)
        (git_dir / "objects" / "info" / "alternates").write_bytes(self.alternates)
        (git_dir / "info" / "exclude").write_bytes(self.exclude)
        if self.shallow is not None:
            (git_dir / "shallow").write_bytes(self.shallow)
        # With its times: git takes a file that is newer than the index for one that may have changed.
        shutil.copy2(index, git_dir / "index")


def quoted(value: str) -> str:
    """A value as git reads it in configuration and lists of paths: between double quotes."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
