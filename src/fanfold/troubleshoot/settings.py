"""What a run can be told, complete and checked."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fanfold.config import ConfigError, Found, find_table, project_root, refuse_unknown, shown
from fanfold.config.keys import refuse_unknown_hosts
from fanfold.config.settings import expanded
from fanfold.llm import ModelSettings
from fanfold.troubleshoot.sources.protocol import Source, SourceError
from fanfold.troubleshoot.sources.registry import source_names, sources_for
from fanfold.troubleshoot.sources.settings import FileFromRoot, Seconds

TABLE = "troubleshoot"
SOURCES = ("tws_status", "rag_search", "log_cache", "metrics")
"""The built-in sources that are asked unless they are switched off."""
KNOWLEDGE = "rag_search"
PREFIX = "FANFOLD_TROUBLESHOOT_"
PATHS = ("prompts", "audit_file")
IN_JSON = ("sources", "llm", "prompts")


class ParallelConfig(BaseModel):
    """How an incident is looked into.

    Args:
        node_timeout_seconds: for each source; a source's own shorter one counts instead.
        total_timeout_seconds: for all sources together; what has answered by then is used.
        enable_tws_status, enable_rag_search, enable_log_cache, enable_metrics: whether that source is asked.
        rag_result_limit: pieces of knowledge, at most.
        min_sources_required: with fewer sources that answered, the answer is that it can't be said.
        window_seconds: how far back before the failure sources look.
        writer_timeout_seconds: for the language model; after that the answer of the rules stands.
        sources: the settings of each source, by its name.
        llm: the language model that writes the answer; None = rules alone.
        prompts: a folder with texts that replace Fanfold's own prompts, or the texts by name.
        audit_file: where actions are written down; None = in the user's folder for state.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    node_timeout_seconds: Seconds = 5.0
    total_timeout_seconds: Seconds = 10.0
    enable_tws_status: bool = True
    enable_rag_search: bool = True
    enable_log_cache: bool = True
    enable_metrics: bool = True
    rag_result_limit: Annotated[int, Field(ge=1, le=100)] = 5
    min_sources_required: Annotated[int, Field(ge=0)] = 1
    window_seconds: Seconds = 3600.0
    writer_timeout_seconds: Seconds = 60.0
    sources: dict[str, dict[str, Any]] = Field(default_factory=dict)
    llm: ModelSettings | None = None
    prompts: FileFromRoot | dict[str, str] | None = None
    audit_file: FileFromRoot | None = None

    def is_enabled(self, source: str) -> bool:
        """Whether a source is to be asked at all; those that aren't built in are, once they are configured."""
        return bool(getattr(self, f"enable_{source}", True))


def load_config(root: Path | None = None, **overrides: object) -> ParallelConfig:
    """The configuration of the project at `root`: the file's, then that of the environment, then what is given here.

    Args:
        root: the directory of `fanfold.toml` or `pyproject.toml`; None = that of the project around the current one.
        overrides: settings by name that count instead of any other; None = not given.
    Raises:
        ConfigError: a key is unknown, a value is wrong, a file can't be read, or it would send a secret of the user's
            where only it says.
    """
    root = root or project_root(Path.cwd())
    found = find_table(root, TABLE) or Found("the call", (TABLE,), {})
    refuse_unknown(found.values, tuple(ParallelConfig.model_fields), found.file, within=found.header)
    variables = _environment()
    given = {name: value for name, value in overrides.items() if value is not None}
    places = dict.fromkeys(variables, "the environment") | dict.fromkeys(given, "the call")
    try:
        config = ParallelConfig.model_validate({**found.values, **variables, **given}, context={"root": root})
    except ValidationError as error:
        raise _complaint(error, found, places) from None
    refuse_unknown_hosts(_connecting({**found.values, **dict.fromkeys(places)}, config), found.file)
    return config


def _connecting(values: Mapping[str, Any], config: ParallelConfig) -> dict[str, object]:
    """The tables of a file that something is asked by, by what messages call them."""
    sources = values.get("sources") or {}
    named = {f"source {name!r}": table for name, table in sources.items() if config.is_enabled(name)}
    return {"the language model": values.get("llm"), **named}


def _environment() -> dict[str, Any]:
    """Settings by name from variables such as FANFOLD_TROUBLESHOOT_MIN_SOURCES_REQUIRED; empty ones are none.

    Raises:
        ConfigError: a variable of that kind names no setting, or a table in one is no JSON.
    """
    held = {name.upper(): value for name, value in os.environ.items() if name.upper().startswith(PREFIX)}
    named = {name.removeprefix(PREFIX).lower(): value for name, value in held.items()}
    refuse_unknown(named, tuple(ParallelConfig.model_fields), "the environment", prefix=PREFIX)
    return {name: _from_variable(name, value.strip()) for name, value in named.items() if value.strip()}


def _from_variable(name: str, value: str) -> object:
    if name in PATHS and not value.startswith("{"):
        return expanded(value).absolute()  # of the user who is here, and not of the file
    if name not in IN_JSON:
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ConfigError(
            f"{PREFIX}{name.upper()} is no JSON", hint='write a table as {"model": "openai:gpt-5"}'
        ) from None


def sources_of(config: ParallelConfig, root: Path | None = None) -> dict[str, Source]:
    """The sources that are configured and not switched off, by name; the starter set of knowledge needs no table.

    Args:
        root: where relative paths in their tables start; None = as for `load_config`.
    Raises:
        SourceError: there is no such source, or it can't work with its settings.
    """
    tables = {name: table for name, table in config.sources.items() if config.is_enabled(name)}
    if config.enable_rag_search and (KNOWLEDGE in tables or KNOWLEDGE in source_names()):
        tables[KNOWLEDGE] = _with_limit(tables.get(KNOWLEDGE, {}), config.rag_result_limit)
    order = {name: place for place, name in enumerate(SOURCES)}
    names = sorted(tables, key=lambda name: order.get(name, len(order)))
    root = root or project_root(Path.cwd())
    made = sources_for({name: tables[name] for name in names}, root)
    most_s = min(config.node_timeout_seconds, config.total_timeout_seconds)
    return {name: _within(name, source, tables[name], root, most_s=most_s) for name, source in made.items()}


def _within(name: str, source: Source, table: Mapping[str, Any], root: Path, *, most_s: float) -> Source:
    """The source; if its own time is longer than it is going to get, one that knows, and so answers in parts by then.

    Those that have no such setting stay as they are, and are given up when their time is over.
    """
    if source.timeout_s <= most_s:
        return source
    shorter = {key: value for key, value in table.items() if key.replace("-", "_") != "timeout_s"}
    try:
        return sources_for({name: {**shorter, "timeout_s": most_s}}, root)[name]
    except SourceError:
        return source


def _with_limit(table: Mapping[str, Any], limit: int) -> dict[str, Any]:
    """The table of the knowledge source with the limit that stands above it, unless it has its own."""
    own = {"type", "limit", "rag_result_limit", "rag-result-limit"} & set(table)
    return dict(table) if own else {**table, "limit": limit}


def _complaint(error: ValidationError, found: Found, places: Mapping[str, str]) -> ConfigError:
    """The first of pydantic's complaints; what may be secret isn't repeated."""
    first = error.errors(include_url=False, include_input=False)[0]
    path = [str(part) for part in first["loc"]]
    key = ".".join(path) or TABLE
    place = places.get(path[0], found.file) if path else found.file
    if place == "the environment":
        place = f"the variable {PREFIX}{path[0].upper()}"
    if first["type"] == "extra_forbidden":
        return ConfigError(f"Unknown key {shown(path[-1])} in {place} under [{'.'.join((*found.header, *path[:-1]))}]")
    return ConfigError(f"{key}: {_lowered(first['msg'].removeprefix('Value error, '))}", hint=f"correct it in {place}")


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]
