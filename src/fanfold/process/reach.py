"""What of the file system a program needs to be run at all: itself, its installation, its interpreter."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

_MAX_LINKS = 20
_MAX_LINE = 512
_MAX_INTERPRETERS = 4
_SIGNS_OF_A_TREE = ("lib", "lib64", "libexec", "pyvenv.cfg", "conda-meta")


def program_reach(program: Path, *, home: Path | None = None, depth: int = _MAX_INTERPRETERS) -> tuple[Path, ...]:
    """Files and folders that a program can't run without.

    The program by each name that links lead through; the tree it was installed in, where that is a tree of its own
    (a virtual environment, a version of Node, the package of a program in JavaScript); its interpreter with the same.

    Args:
        program: absolute.
        home: never taken for an installation, whatever lies in it.
        depth: how many interpreters may stand one behind the other.
    """
    found: list[Path] = []
    for name in _names(program):
        found.append(name)
        if (tree := _tree(name, home)) is not None:
            found.append(tree)
            if (tree / "pyvenv.cfg").is_file():
                found += python_reach(tree)
    target = Path(os.path.realpath(program))
    if depth and (interpreter := _interpreter(target)) is not None:
        found += program_reach(interpreter, home=home, depth=depth - 1)
    return tuple(dict.fromkeys(found))


def python_reach(environment: Path) -> tuple[Path, ...]:
    """A virtual environment, and the installation of Python that it stands on, by each of their names."""
    found = [environment, Path(os.path.realpath(environment))]
    for name in ("python", "python3"):
        links = _names(environment / "bin" / name)
        found += [link.parent.parent for link in links if not link.is_relative_to(environment)]
    try:
        lines = (environment / "pyvenv.cfg").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    homes = [value.strip() for key, _, value in (line.partition("=") for line in lines) if key.strip() == "home"]
    for one in homes:
        found += [Path(one).parent, Path(os.path.realpath(one)).parent]
    # What lies right below the root is the system's, or much more than was meant.
    return tuple(path for path in dict.fromkeys(found) if len(path.parts) > 2)


def _names(path: Path) -> Iterator[Path]:
    """A path, and what its links lead to, one after the other."""
    for _ in range(_MAX_LINKS):
        yield path
        if not path.is_symlink():
            break
        path = Path(os.path.normpath(path.parent / path.readlink()))
    real = Path(os.path.realpath(path))
    if real != path:
        yield real


def _tree(program: Path, home: Path | None) -> Path | None:
    """The folder that a program was installed in together with what it needs, None where there is no such folder."""
    parts = program.parts
    if "node_modules" in parts:
        return Path(*parts[: parts.index("node_modules") + 1])
    top = program.parent.parent
    if program.parent.name != "bin" or len(top.parts) <= 2 or top == home or top.name == ".local":
        return None
    return top if any((top / sign).exists() for sign in _SIGNS_OF_A_TREE) else None


def _interpreter(file: Path) -> Path | None:
    """Whom the first line of a script names."""
    try:
        with file.open("rb") as content:
            line = content.readline(_MAX_LINE)
        words = shlex.split(line[2:].decode()) if line.startswith(b"#!") else []
    except (OSError, ValueError):
        return None
    if not words:
        return None
    if Path(words[0]).name == "env":
        named = next((word for word in words[1:] if not word.startswith("-") and "=" not in word), "")
        found = shutil.which(named) if named else None
        return Path(found).absolute() if found else None
    return Path(words[0])
