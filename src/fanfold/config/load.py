"""Read settings from the command line, the environment and the project's files, in that order of precedence."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource

from fanfold.config.settings import ENVIRONMENT_PREFIX, ConfigError, Expected, FixSettings

Origins = Mapping[str, str]
"""Where each setting came from: "default", "environment (NAME)", "command line" or the name of a file."""

NAMES = tuple(FixSettings.model_fields)
PATHS = ("workspaces", "cluster_certificates")
MAX_SHOWN_CHARS = 60


@dataclass(frozen=True)
class Source:
    """Settings of one origin; `label` gives the words for the origin of a setting."""

    kind: str
    values: Mapping[str, object]

    def label(self, name: str) -> str:
        """The origin of setting `name`, in words."""
        return f"environment ({ENVIRONMENT_PREFIX}{name.upper()})" if self.kind == "environment" else self.kind


def project_root(start: Path) -> Path:
    """The nearest directory with a `.git`, where configuration is looked for; `start` where there is none."""
    return next((parent for parent in (start, *start.parents) if (parent / ".git").exists()), start)


def load_settings(root: Path, overrides: Mapping[str, object]) -> FixSettings:
    """The settings for the project at `root`.

    Args:
        root: the directory of `fanfold.toml` or `pyproject.toml`.
        overrides: settings of the command line by name; None = not given.
    Raises:
        ConfigError: a key is unknown, a value is wrong, or a file can't be read.
    """
    return settings_with_origins(root, overrides)[0]


def settings_with_origins(root: Path, overrides: Mapping[str, object]) -> tuple[FixSettings, Origins]:
    """The settings as `load_settings` gives them, and where each came from."""
    sources = (
        Source("command line", {name: value for name, value in overrides.items() if value is not None}),
        Source("environment", _environment()),
        _file(root),
    )
    found = {name: source for source in reversed(sources) for name in source.values}
    try:
        settings = FixSettings(**{name: source.values[name] for name, source in found.items()})  # type: ignore[arg-type]
    except ValidationError as error:
        raise _wrong_value(error, found) from None
    _workspaces_stand_outside(settings.workspaces, root)
    return settings, {name: found[name].label(name) if name in found else "default" for name in NAMES}


def _environment() -> Mapping[str, object]:
    for variable in os.environ:
        if variable.upper().startswith(ENVIRONMENT_PREFIX):
            _known([variable[len(ENVIRONMENT_PREFIX) :].lower()], NAMES, "the environment", shown=variable)
    return dict(EnvSettingsSource(FixSettings)())


def _file(root: Path) -> Source:
    own = _fix_table(root / "fanfold.toml", ())
    shared = _fix_table(root / "pyproject.toml", ("tool", "fanfold"))
    if own is not None and shared is not None:
        raise ConfigError(
            "Settings for fix stand in both fanfold.toml and pyproject.toml",
            hint="keep either [fix] in fanfold.toml or [tool.fanfold.fix] in pyproject.toml",
        )
    name, table = ("fanfold.toml", own) if own is not None else ("pyproject.toml", shared)
    return Source(name, _paths_from(root, table or {}))


def _fix_table(path: Path, header: tuple[str, ...]) -> dict[str, object] | None:
    """The settings below `header` in a TOML file, keys with underscores; None where there are none."""
    table: Any = _toml(path)
    for depth, key in enumerate(header, start=1):
        table = _table(table.get(key, {}), path, header[:depth])
    _known(table, ("fix",), path.name, within=header)
    if "fix" not in table:
        return None
    settings: dict[str, object] = {}
    for key, value in _table(table["fix"], path, (*header, "fix")).items():
        name = key.replace("-", "_")
        if name in settings:
            raise ConfigError(f"{name} stands twice in {path.name}", hint="keep one spelling of the key")
        _known([name], NAMES, path.name, within=(*header, "fix"), shown=key)
        settings[name] = value
    return settings


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode())
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name} is not valid TOML: {error}", hint=f"correct {path}") from None
    except OSError as error:
        raise ConfigError(f"{path.name} can't be read: {error.strerror}", hint=f"look at {path}") from None


def _table(value: object, path: Path, header: tuple[str, ...]) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise ConfigError(
        f"{'.'.join(header)} in {path.name} is {_shown(value)}, but must be a table",
        hint=f"write [{'.'.join(header)}] on a line of its own and its keys below",
    )


def _known(
    keys: Iterable[str], names: tuple[str, ...], place: str, *, within: tuple[str, ...] = (), shown: str | None = None
) -> None:
    for key in keys:
        if key in names:
            continue
        nearest = difflib.get_close_matches(key, names, n=1)
        in_environment = place == "the environment"
        spelled = [ENVIRONMENT_PREFIX + name.upper() if in_environment else name for name in nearest or names]
        table = f" under [{'.'.join(within)}]" if within else ""
        raise ConfigError(
            f"Unknown key {_shown(shown or key)} in {place}{table}",
            hint=f"did you mean {spelled[0]}?" if nearest else f"known keys are {', '.join(spelled)}",
        )


def _wrong_value(error: ValidationError, found: Mapping[str, Source]) -> ConfigError:
    """The first of pydantic's complaints in our words: pydantic's own name its types, which users don't know."""
    complaint = error.errors(include_url=False, include_input=False)[0]
    name = str(complaint["loc"][0]) if complaint["loc"] else ""
    if name not in NAMES:
        return ConfigError(f"Unknown setting {_shown(name)}", hint=f"known settings are {', '.join(NAMES)}")
    source = found[name]
    return ConfigError(
        f"{name} is {_shown(source.values[name])}, but must be {_expected(name)}",
        hint=f"correct it in {_place(source, name)}",
    )


def _expected(name: str) -> str:
    """What setting `name` accepts; pydantic keeps the metadata of `X | None` with X."""
    field = FixSettings.model_fields[name]
    parts = [field, *get_args(field.annotation)]
    metadata = [item for part in parts for item in getattr(part, "metadata", getattr(part, "__metadata__", ()))]
    return next(item.words for item in metadata if isinstance(item, Expected))


def _place(source: Source, name: str) -> str:
    if source.kind == "command line":
        option = {"checks": "check"}.get(name, name.removesuffix("_s").replace("_", "-"))
        return f"the option --{option}"
    return f"the variable {ENVIRONMENT_PREFIX}{name.upper()}" if source.kind == "environment" else source.kind


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= MAX_SHOWN_CHARS else text[: MAX_SHOWN_CHARS - 3] + "..."


def _paths_from(root: Path, table: dict[str, object]) -> dict[str, object]:
    """A relative path of a file is relative to that file, whatever directory the user is in."""
    paths = {name: value for name in PATHS if isinstance(value := table.get(name), str)}
    return {**table, **{name: root / Path(value).expanduser() for name, value in paths.items()}}


def _workspaces_stand_outside(workspaces: Path, root: Path) -> None:
    # Outside of any repository there is no project that the copies could get in the way of.
    if (root / ".git").exists() and workspaces.resolve().is_relative_to(root.resolve()):
        raise ConfigError(
            f"workspaces is {_shown(str(workspaces))}, which is inside the project",
            hint="choose a directory outside of it: checkers and tests would find the copies",
        )
