"""Read settings from the command line, the environment and the project's files, in that order of precedence."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource

from fanfold.config.files import find_table, refuse_unknown, shown
from fanfold.config.keys import refuse_unknown_hosts
from fanfold.config.settings import ENVIRONMENT_PREFIX, ConfigError, Expected, FixSettings, expanded

Origins = Mapping[str, str]
"""Where each setting came from: "default", "environment (NAME)", "command line" or the name of a file."""

NAMES = tuple(FixSettings.model_fields)
PATHS = ("baseline", "workspaces", "state", "cluster_certificates")


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
        ConfigError: a key is unknown, a value is wrong, a file can't be read, or it would send a key of the user's
            where only it says.
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
    if _comes_before("agent_command", "agent", found, sources):
        del found["agent"]  # whoever gives a command there wants that to work, whoever works otherwise
    try:
        settings = FixSettings(**{name: source.values[name] for name, source in found.items()})  # type: ignore[arg-type]
    except ValidationError as error:
        raise _wrong_value(error, found) from None
    if "agent_command" in sources[0].values:
        _refuse_idle_command(settings)
    if (source := found.get("agents")) is not None and source is sources[-1]:
        used = sorted({one.partition(":")[0] for one in settings.agent} & settings.agents.keys())
        refuse_unknown_hosts({f"agent {name!r}": settings.agents[name] for name in used}, source.kind)
    _stands_outside("workspaces", settings.workspaces, root, hint="checkers and tests would find the copies")
    _stands_outside("state", settings.state, root, hint="what runs keep would be found as new files")
    return settings, {name: found[name].label(name) if name in found else "default" for name in NAMES}


def _comes_before(name: str, other: str, found: Mapping[str, Source], sources: Sequence[Source]) -> bool:
    """Whether both settings were given, and `name` where it counts more."""
    both = name in found and other in found
    return both and bool(found[name].values[name]) and sources.index(found[name]) < sources.index(found[other])


def _refuse_idle_command(settings: FixSettings) -> None:
    """See to it that a command of the command line isn't passed over without a word: others may be paid for then."""
    if not any(settings.agent_command):
        raise ConfigError("--agent-command is empty", hint="name a program, as in 'my-agent {file}'")
    names = {one.partition(":")[0] for one in settings.agent}
    if "command" not in {settings.agents.get(name, {}).get("use", name) for name in names}:
        raise ConfigError(
            f"nobody would run --agent-command: the agents are {', '.join(settings.agent)}",
            hint="name it among them with --agent command, or leave --agent out",
        )


def _environment() -> Mapping[str, object]:
    for variable in os.environ:
        if variable.upper().startswith(ENVIRONMENT_PREFIX):
            key = variable[len(ENVIRONMENT_PREFIX) :].lower()
            refuse_unknown([key], NAMES, "the environment", prefix=ENVIRONMENT_PREFIX)
    return dict(EnvSettingsSource(FixSettings)())


def _file(root: Path) -> Source:
    found = find_table(root, "fix")
    if found is None:
        return Source("pyproject.toml", {})
    refuse_unknown(found.values, NAMES, found.file, within=found.header)
    return Source(found.file, _paths_from(root, found.values))


def _wrong_value(error: ValidationError, found: Mapping[str, Source]) -> ConfigError:
    """The first of pydantic's complaints in our words: pydantic's own name its types, which users don't know."""
    complaint = error.errors(include_url=False, include_input=False)[0]
    name = str(complaint["loc"][0]) if complaint["loc"] else ""
    if name not in NAMES:
        return ConfigError(f"Unknown setting {shown(name)}", hint=f"known settings are {', '.join(NAMES)}")
    source = found[name]
    return ConfigError(
        f"{name} is {shown(source.values[name])}, but must be {_expected(name)}",
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
        return f"the option --{_option(name)}"
    return f"the variable {ENVIRONMENT_PREFIX}{name.upper()}" if source.kind == "environment" else source.kind


def _option(name: str) -> str:
    """How the command line calls a setting: units are in the option's value there."""
    if name in ("checks", "copy_files"):
        return {"checks": "check", "copy_files": "copy"}[name]
    words = name.removesuffix("_s").removesuffix("_usd").replace("_", "-")
    return f"{words.removeprefix('task-')}-per-task" if words.startswith("task-") else words


def _paths_from(root: Path, table: dict[str, object]) -> dict[str, object]:
    """A relative path of a file is relative to that file, whatever directory the user is in."""
    paths = {name: value for name in PATHS if isinstance(value := table.get(name), str)}
    paths_from_here = {name: root / expanded(value) for name, value in paths.items()}
    return {**table, **paths_from_here, **_programs_from(root, table)}


def _programs_from(root: Path, table: dict[str, object]) -> dict[str, object]:
    """What names a program by its path, in the table of all agents or of a single one; a bare name is for PATH."""
    agents = table.get("agents")
    found: dict[str, object] = {}
    if "agent_command" in table:
        found["agent_command"] = _command_from(root, table["agent_command"])
    if isinstance(agents, dict):
        found["agents"] = {name: _agent_from(root, own) for name, own in agents.items()}
    return found


def _agent_from(root: Path, table: object) -> object:
    if not isinstance(table, dict):
        return table
    own = dict(table)
    if "command" in own:
        own["command"] = _command_from(root, own["command"])
    if isinstance(program := own.get("program"), str):
        own["program"] = _program_from(root, program)
    return own


def _command_from(root: Path, command: object) -> object:
    """A command line or list whose program, where it is a relative path, is relative to `root`."""
    try:
        words = shlex.split(command) if isinstance(command, str) else command
    except ValueError:
        return command  # who runs it says what is wrong with it
    if not isinstance(words, list) or not words or not isinstance(words[0], str) or words[0].startswith("["):
        return command
    program = _program_from(root, words[0])
    return command if program == words[0] else [program, *words[1:]]


def _program_from(root: Path, program: str) -> str:
    return os.path.normpath(root / expanded(program)) if "/" in program else program


def _stands_outside(name: str, folder: Path, root: Path, *, hint: str) -> None:
    # Outside of any repository there is no project that it could get in the way of.
    if (root / ".git").exists() and folder.resolve().is_relative_to(root.resolve()):
        raise ConfigError(
            f"{name} is {shown(str(folder))}, which is inside the project",
            hint=f"choose a directory outside of it: {hint}",
        )
