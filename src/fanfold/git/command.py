"""Run git so that nothing but what was asked for happens: no hooks, prompts, pagers, daemons, foreign settings."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from fanfold.errors import FanfoldError
from fanfold.process import Completed, ProgramNotFound, run

MAX_WORDS = 600
MAX_BYTES = 1 << 30

SAFE = {
    # Whatever the user or an agent configured to run by itself does not run for Fanfold's own commands.
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.pager": "cat",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "submodule.recurse": "false",
    # Output that is parsed looks the same everywhere.
    "color.ui": "false",
    "core.quotePath": "true",
    "diff.renames": "false",
    "merge.renames": "false",
    "i18n.commitEncoding": "UTF-8",
    # Objects reach the disk before a ref names them; git's default leaves loose objects out.
    "core.fsync": "committed",
    # A converted line ending is no reason to fail; a made-up identity is.
    "core.safecrlf": "false",
    "user.useConfigOnly": "true",
}

UNSYNCED = {"core.fsync": "none"}
"""For many objects in a row, which are synced together before a ref names them."""

_ENVIRONMENT = {
    "LC_ALL": "C",
    "GIT_ASKPASS": "true",
    "GIT_LFS_SKIP_SMUDGE": "1",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
}

_CONFIG_PLACES = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM")
_IDENTITY = ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL")


class GitError(FanfoldError):
    """Git failed; the message holds its own words."""


def environment(settings: Mapping[str, str], places: Mapping[str, str]) -> dict[str, str]:
    """The environment for one git command.

    The caller's variables that start with `GIT_` are dropped, since in a hook they point at the repository and
    the index of the commit under way. Kept are where configuration lies, and settings and an identity given
    through the environment, unless a hook's command inherited them from the commit under way.

    Args:
        settings: git configuration that outranks every file.
        places: further variables, such as GIT_DIR.
    """
    inner = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    in_a_hook = "GIT_INDEX_FILE" in os.environ
    own = 0 if in_a_hook else _count(os.environ.get("GIT_CONFIG_COUNT", ""))
    kept = [*_CONFIG_PLACES, *(f"GIT_CONFIG_{part}_{n}" for n in range(own) for part in ("KEY", "VALUE"))]
    for name in kept if in_a_hook else (*kept, *_IDENTITY):
        if name in os.environ:
            inner[name] = os.environ[name]
    for n, (key, value) in enumerate(settings.items(), start=own):
        inner[f"GIT_CONFIG_KEY_{n}"] = key
        inner[f"GIT_CONFIG_VALUE_{n}"] = value
    return {**inner, **_ENVIRONMENT, "GIT_CONFIG_COUNT": str(own + len(settings)), **places}


async def git(
    *args: str,
    cwd: Path,
    settings: Mapping[str, str] | None = None,
    places: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    ok: Iterable[int] = (0,),
    keep_daemons: bool = False,
) -> Completed:
    """Run one git command to its end.

    Args:
        args: git's arguments; names with undecodable bytes as surrogates.
        cwd: working directory; where `places` names no GIT_DIR, git looks for the repository from here.
        settings: configuration besides `SAFE`.
        places: environment variables such as GIT_DIR, GIT_INDEX_FILE, GIT_WORK_TREE.
        ok: exit codes that are an answer, not a failure.
        keep_daemons: leave gpg's agent alone.
    Raises:
        GitError: git isn't there, failed, or said more than 1 GiB.
    """
    env = environment({**SAFE, **(settings or {})}, places or {})
    try:
        done = await run(("git", *args), cwd=cwd, env=env, stdin=stdin, max_bytes=MAX_BYTES, keep_daemons=keep_daemons)
    except ProgramNotFound as error:
        raise GitError(error.message, hint="install git 2.38 or newer, or put its folder on PATH") from error
    if done.returncode not in ok:
        raise GitError(f"git {args[0]} failed: {words(done.stderr) or f'exit code {done.returncode}'}")
    if done.truncated:
        raise GitError(f"git {args[0]} wrote more than {MAX_BYTES} bytes")
    return done


def words(stderr: bytes) -> str:
    """What git said, on one line and without its prefixes."""
    lines = stderr.decode(errors="replace").splitlines()
    plain = (line.removeprefix("fatal: ").removeprefix("error: ").strip() for line in lines)
    said = "; ".join(line for line in plain if line)
    return said if len(said) <= MAX_WORDS else f"{said[:MAX_WORDS]}..."


def text(output: bytes) -> str:
    """Output of git as text; bytes that aren't UTF-8 become surrogates and survive the way back."""
    return output.decode("utf-8", "surrogateescape")


def raw(name: str) -> bytes:
    """The bytes of a path that `text` made."""
    return name.encode("utf-8", "surrogateescape")


def records(output: bytes) -> list[bytes]:
    """The records of `-z` output."""
    return output.split(b"\0")[:-1]


def _count(value: str) -> int:
    return int(value) if value.isdecimal() else 0
