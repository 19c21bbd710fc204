"""What a project's own configuration files say of its checkers."""

from __future__ import annotations

import configparser
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fanfold.fix.errors import FixError


def mentions(root: Path, name: str, *keys: str) -> bool:
    """Whether the TOML file `name` has a value under `keys`; no file has none.

    Raises:
        FixError: the file is no TOML.
    """
    return value_of(root, name, *keys) is not None


def value_of(root: Path, name: str, *keys: str) -> Any:
    """What the TOML file `name` has under `keys`, None where it has nothing.

    Raises:
        FixError: the file can't be read or is no TOML.
    """
    path = root / name
    if not path.is_file():
        return None
    try:
        value: Any = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FixError(f"{name} can't be read: {error}", hint=f"correct {name}") from error
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def ini_section(root: Path, name: str, section: str) -> Mapping[str, str] | None:
    """The options of a section of an INI file, None where file or section don't exist or can't be read.

    What is wrong with such a file is for the tool to say that reads it.
    """
    if not (root / name).is_file():  # it may be a link to what has no end
        return None
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string((root / name).read_text(encoding="utf-8"))
    except (OSError, ValueError, configparser.Error):
        return None
    return dict(parser[section]) if parser.has_section(section) else None
