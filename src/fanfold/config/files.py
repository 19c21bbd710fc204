"""Find an application's table in the project's files: in fanfold.toml, or below [tool.fanfold] in pyproject.toml."""

from __future__ import annotations

import difflib
import os
import stat
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fanfold.config.settings import ConfigError

TABLES = ("fix", "troubleshoot")
MAX_SHOWN_CHARS = 60
MAX_BYTES = 4 * 1024**2


@dataclass(frozen=True, slots=True)
class Found:
    """A table of settings.

    Attributes:
        file: the name of the file that it stands in.
        header: what its header is made of there, `("tool", "fanfold", "fix")` for instance.
        values: as they stand there, keys with underscores.
    """

    file: str
    header: tuple[str, ...]
    values: dict[str, Any]


def find_table(root: Path, name: str) -> Found | None:
    """The settings of one application; None where there are none.

    Args:
        root: the directory of `fanfold.toml` or `pyproject.toml`.
        name: of the application, one of TABLES.
    Raises:
        ConfigError: a file can't be read, has a table that nobody knows, or both files have this one.
    """
    own = _found(root / "fanfold.toml", (), name)
    shared = _found(root / "pyproject.toml", ("tool", "fanfold"), name)
    if own is not None and shared is not None:
        raise ConfigError(
            f"Settings for {name} stand in both fanfold.toml and pyproject.toml",
            hint=f"keep either [{name}] in fanfold.toml or [tool.fanfold.{name}] in pyproject.toml",
        )
    return own if own is not None else shared


def _found(path: Path, within: tuple[str, ...], name: str) -> Found | None:
    table: Any = _toml(path)
    for depth, key in enumerate(within, start=1):
        table = _table(table.get(key, {}), path, within[:depth])
    refuse_unknown(table, TABLES, path.name, within=within)
    if name not in table:
        return None
    header = (*within, name)
    values: dict[str, Any] = {}
    for key, value in _table(table[name], path, header).items():
        spelled = key.replace("-", "_")
        if spelled in values:
            raise ConfigError(f"{spelled} stands twice in {path.name}", hint="keep one spelling of the key")
        values[spelled] = value
    return Found(path.name, header, values)


def refuse_unknown(
    keys: Iterable[str], names: tuple[str, ...], place: str, *, within: tuple[str, ...] = (), prefix: str = ""
) -> None:
    """Refuse the first key that nobody knows, and name the one that may have been meant.

    Args:
        within: the header of the table that the keys stand in.
        prefix: what stands before each name where the keys come from.
    Raises:
        ConfigError: there is one.
    """
    for key in keys:
        if key in names:
            continue
        nearest = difflib.get_close_matches(key, names, n=1)
        spelled = [prefix + name.upper() if prefix else name for name in nearest or names]
        table = f" under [{'.'.join(within)}]" if within else ""
        raise ConfigError(
            f"Unknown key {shown(prefix + key.upper() if prefix else key)} in {place}{table}",
            hint=f"did you mean {spelled[0]}?" if nearest else f"known keys are {', '.join(spelled)}",
        )


def shown(value: object) -> str:
    """A value as messages show it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= MAX_SHOWN_CHARS else text[: MAX_SHOWN_CHARS - 3] + "..."


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_content(path).decode())
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name} is not valid TOML: {error}", hint=f"correct {path}") from None
    except RecursionError:
        raise ConfigError(f"{path.name} is nested too deeply", hint=f"correct {path}") from None
    except OSError as error:
        raise ConfigError(f"{path.name} can't be read: {error.strerror}", hint=f"look at {path}") from None


def _content(path: Path) -> bytes:
    """All of a file, which comes with a repository: it may be a link to what has no end, or a pipe."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ConfigError(f"{path.name} can't be read: it is no regular file", hint=f"look at {path}")
    with open(descriptor, "rb") as file:  # noqa: PTH123 a descriptor
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{path.name} has more than {MAX_BYTES:,} bytes", hint=f"shorten {path}")
    return content


def _table(value: object, path: Path, header: tuple[str, ...]) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise ConfigError(
        f"{'.'.join(header)} in {path.name} is {shown(value)}, but must be a table",
        hint=f"write [{'.'.join(header)}] on a line of its own and its keys below",
    )
