"""Make a workspace ready for work: what the user's setup command makes, and untracked files that they listed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shlex
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from fanfold.config import FixSettings
from fanfold.fix.attempts.confine import find_bubblewrap
from fanfold.fix.errors import FixError
from fanfold.fix.project import PASSED, Project
from fanfold.fix.suite.command import SHELL_WORDS
from fanfold.git import Repository, Workspace
from fanfold.git.sweep import remove
from fanfold.process import ProcessError, allowed_environment, read_only, run
from fanfold.redact import hold, redact

LOCKFILES = (
    *("package.json", "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock"),
    *("pyproject.toml", "setup.py", "setup.cfg", "uv.lock", "poetry.lock", "pdm.lock", "requirements.txt"),
    *("Cargo.lock", "go.sum", "Gemfile.lock", "composer.lock"),
)
"""Files whose change makes a setup command run again, where the user names none."""

_MARKER = "setup.json"
_MAX_COPIED_BYTES = 16 * 1024 * 1024
_MAX_WORDS = 2_000


class SetupError(FixError):
    """A workspace can't be made ready."""


@dataclass
class Prepared:
    """Makes each workspace ready, right after it became what a commit holds.

    What the setup command makes stays in the workspace's slot, for every commit, until the command or one of the files
    that it depends on changes. Neither that nor what is copied is ever part of a change.

    Args:
        project: has the environment whose programs the command finds first.
        setup: the command, () = none.
        depends_on: files of the repository; it runs again where one has another content than when it ran last.
        copies: files of the checkout that git doesn't track, relative to its root.
        deadline_s: seconds for the command.
        bubblewrap: keeps the command from writing to the user's checkout and environment, None = nothing does.
    """

    project: Project
    setup: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = LOCKFILES
    copies: tuple[str, ...] = ()
    deadline_s: float = 1800.0
    bubblewrap: Path | None = None
    _failed: dict[str, SetupError] = field(default_factory=dict)

    async def ready(self, workspace: Workspace) -> None:
        """Make a workspace ready that is exactly what a commit holds, but for what it keeps.

        Raises:
            SetupError: the command failed, with its last words; or a file can't be copied.
        """
        if not (self.setup or self.copies or workspace.kept):
            return
        copies = await asyncio.to_thread(self._read_copies)
        digest = await asyncio.to_thread(self._digest, workspace.root)
        made = await asyncio.to_thread(_made, workspace, digest)
        if self.setup and made is None:
            made = await self._set_up(workspace, digest, copies)
        wanted = [*(made or ()), *copies]
        fresh = await asyncio.to_thread(_is_fresh, workspace.root, copies)
        if not fresh or set(wanted) != set(workspace.kept):
            await asyncio.to_thread(self._write_copies, workspace.root, copies)
            await workspace.keep(wanted)

    async def _set_up(self, workspace: Workspace, digest: str, copies: dict[str, bytes]) -> tuple[str, ...]:
        if (failure := self._failed.get(digest)) is not None:
            raise failure
        await workspace.keep(())
        await asyncio.to_thread(self._write_copies, workspace.root, copies)
        try:
            await self._run(workspace.root)
        except SetupError as error:
            self._failed[digest] = error
            raise
        made = tuple(path for path in await workspace.strangers() if path not in copies)
        await workspace.keep((*made, *copies))
        marker = json.dumps({"digest": digest, "made": made})
        await asyncio.to_thread((workspace.cache / _MARKER).write_text, marker)
        return made

    async def _run(self, root: Path) -> None:
        environment = allowed_environment(PASSED)
        protected = [self.project.root]
        if self.project.environment is not None:
            environment["VIRTUAL_ENV"] = str(self.project.environment)
            environment["PATH"] = os.pathsep.join((str(self.project.environment / "bin"), environment.get("PATH", "")))
            protected.append(self.project.environment)
        # A command such as `pip install -e .` would turn the user's own environment to this workspace.
        argv = self.setup if self.bubblewrap is None else read_only(self.bubblewrap, protected, self.setup, root)
        try:
            done = await run(argv, cwd=root, env=environment, deadline_s=self.deadline_s)
        except ProcessError as error:
            raise SetupError(f"the setup command could not be started: {error.message}", hint=error.hint) from error
        if done.timed_out:
            raise SetupError(f"the setup command did not end within {self.deadline_s:g} s")
        if done.returncode:
            said = b"\n".join(part.strip() for part in (done.stdout, done.stderr) if part.strip())
            words = redact(said.decode(errors="replace"))[-_MAX_WORDS:].strip()
            raise SetupError(
                f"the setup command {shlex.join(self.setup)!r} ended with exit code {done.returncode}: {words}",
                hint="it runs in a fresh copy of the commit: is something missing that git doesn't track? see --copy",
            )

    def _digest(self, root: Path) -> str:
        found = hashlib.sha256("\0".join(self.setup).encode(errors="surrogateescape"))
        for name in self.depends_on:
            path = root / name
            content = path.read_bytes() if path.is_file() else b"none"
            found.update(b"\0" + os.fsencode(name) + b"\0" + hashlib.sha256(content).digest())
        return found.hexdigest()

    def _read_copies(self) -> dict[str, bytes]:
        return {name: _content(self.project.root, name) for name in self.copies}

    def _write_copies(self, root: Path, copies: dict[str, bytes]) -> None:
        for name, content in copies.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.parent.resolve().is_relative_to(root.resolve()):
                raise SetupError(f"{name} can't be copied: a link in the repository leads its folder elsewhere")
            remove(os.fsencode(path))
            path.write_bytes(content)
            shutil.copymode(self.project.root / name, path)


async def prepared_for(settings: FixSettings, repository: Repository, project: Project) -> Prepared:
    """What the settings say of making workspaces ready; values of files to copy are masked from now on.

    Raises:
        FixError: the command can't be understood, or a file can't be copied, with the reason.
    """
    copies = tuple(dict.fromkeys(_relative(project.root, name) for name in settings.copy_files))
    if copies:
        _refuse_tracked(copies, {entry.path for entry in await repository.tree(repository.head)})
        for name in copies:
            hold(_values(_content(project.root, name)))
    return Prepared(
        project=project,
        setup=_words(settings.setup) if settings.setup else (),
        depends_on=settings.setup_files or LOCKFILES,
        copies=copies,
        deadline_s=settings.test_deadline_s,
        bubblewrap=(await find_bubblewrap())[0] if settings.setup and settings.sandbox != "none" else None,
    )


def _words(command: str) -> tuple[str, ...]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise FixError(f"the setup command {command!r} can't be split into words: {error}") from error
    if odd := next((word for word in words if word in SHELL_WORDS), None):
        hint = f"write: sh -c {shlex.quote(command)}"
        raise FixError(f"the setup command has {odd!r}, and no shell runs it", hint=hint)
    if not words:
        raise FixError("the setup command is empty", hint='give one, as in --setup "npm ci"')
    return tuple(words)


def _relative(root: Path, name: str) -> str:
    """The path below the root that is meant.

    Raises:
        FixError: it leads outside, through links, too; or there is no such file.
    """
    path = root / name
    inside = os.path.normpath(path)
    if not path.exists():
        raise FixError(f"{name} can't be copied: there is no such file in {root}", hint="correct copy_files")
    if not (Path(inside).is_relative_to(root) and path.resolve().is_relative_to(root.resolve())):
        raise FixError(f"{name} can't be copied: it is outside of {root}", hint="copy it into the checkout first")
    if not path.is_file():
        raise FixError(f"{name} can't be copied: it is no file", hint="list the files that are needed, one by one")
    found = PurePosixPath(Path(inside).relative_to(root))
    if ".git" in found.parts:
        raise FixError(f"{name} can't be copied: it is git's", hint="copy_files are for files such as .env")
    return str(found)


def _refuse_tracked(copies: Sequence[str], tracked: Collection[str]) -> None:
    for name in copies:
        if name in tracked:
            raise FixError(
                f"{name} can't be copied: git tracks it", hint="every workspace has it as it was committed already"
            )


def _content(root: Path, name: str) -> bytes:
    try:
        if (root / name).stat().st_size > _MAX_COPIED_BYTES:
            raise SetupError(f"{name} can't be copied: it has more than {_MAX_COPIED_BYTES:,} bytes")
        return (root / name).read_bytes()
    except OSError as error:
        raise SetupError(f"{name} can't be copied: {error.strerror or error}") from error


def _values(content: bytes) -> list[str]:
    """What such a file may hold that is secret: what stands behind a sign, and long lines as a whole."""
    found: list[str] = []
    for line in content.decode(errors="replace").splitlines():
        text = line.strip()
        if text.startswith("#"):
            continue
        _, _, value = text.partition("=" if "=" in text else ":")
        found += [text, value.strip().rstrip(",").strip("\"' ")]
    return found


def _made(workspace: Workspace, digest: str) -> tuple[str, ...] | None:
    """What the setup command made in this slot; None where it did not run, or not with these words and files."""
    try:
        told = json.loads((workspace.cache / _MARKER).read_text())
        made = tuple(str(path) for path in told["made"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    there = set(made) <= set(workspace.kept) and all((workspace.root / path).exists() for path in made)
    return made if told["digest"] == digest and there else None


def _is_fresh(root: Path, copies: dict[str, bytes]) -> bool:
    try:
        return all((root / name).read_bytes() == content for name, content in copies.items())
    except OSError:
        return False
