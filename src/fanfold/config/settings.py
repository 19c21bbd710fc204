"""The settings of `fanfold fix`: names, types, defaults, and what each accepts."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from platformdirs import user_cache_path, user_state_path
from pydantic import BeforeValidator, Field, StringConstraints, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from fanfold.errors import FanfoldError

ENVIRONMENT_PREFIX = "FANFOLD_FIX_"
LOCKFILES = (
    *("package.json", "package-lock.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock"),
    *("pyproject.toml", "uv.lock", "poetry.lock", "requirements.txt"),
    *("Cargo.lock", "go.sum", "Gemfile.lock", "composer.lock"),
)


class ConfigError(FanfoldError):
    """A setting is unknown or has a wrong value, or a configuration file can't be read."""


def expanded(path: str | Path) -> Path:
    """The path, with the home in the place of the `~` or `~name` that it begins with.

    Raises:
        ConfigError: there is no such home.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ConfigError(f"{path} begins with a home that there is not", hint="write the path in full") from None


@dataclass(frozen=True)
class Expected:
    """What a setting accepts, in words that finish "must be ..."."""

    words: str


def _no_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a truth value is no number")  # noqa: TRY004  (pydantic reports ValueError only)
    return value


def _items(value: object) -> object:
    """A string is a comma-separated list, or a JSON list where an item holds a comma."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return [item.strip() for item in value.split(",") if item.strip()]


def _variables(value: object) -> object:
    """Names of variables; what may be a secret is in no error."""
    items = _items(value)
    for item in items if isinstance(items, (list, tuple)) else ():
        if isinstance(item, str) and "=" in item:
            name = item.partition("=")[0]
            raise ConfigError(
                f"agent_env names variables and holds no values, but there is one for {name}",
                hint=f"export {name} in your shell, and give its name alone",
            )
    return items


def _checks(value: object) -> object:
    """As `_items`, but `name=command` is one item whatever the command holds."""
    named = isinstance(value, str) and "=" in value and not value.lstrip().startswith("[")
    return [value] if named else _items(value)


def _table(value: object) -> object:
    return json.loads(value) if isinstance(value, str) else value


def _argv(value: object) -> object:
    if not isinstance(value, str):
        return value
    return json.loads(value) if value.lstrip().startswith("[") else shlex.split(value)


def _network(value: object) -> object:
    items = _items(value)
    if isinstance(items, list | tuple) and len(items) != 1 and ("host" in items or "none" in items or not items):
        raise ValueError("host and none stand alone")
    return items


def _paths(value: object) -> object:
    items = _items(value)
    if not isinstance(items, list | tuple):
        return items
    return [expanded(item).absolute() if isinstance(item, str) and item else item for item in items]


NonEmpty = Annotated[str, StringConstraints(min_length=1)]
Text = Annotated[NonEmpty, Expected("a string that isn't empty")]
Count = Annotated[int, Field(ge=1), BeforeValidator(_no_bool), Expected("a whole number of at least 1")]
Seconds = Annotated[
    float, Field(gt=0, allow_inf_nan=False), BeforeValidator(_no_bool), Expected("a number of seconds above 0")
]
Dollars = Annotated[
    float, Field(gt=0, allow_inf_nan=False), BeforeValidator(_no_bool), Expected("an amount of US dollars above 0")
]
Minutes = Annotated[
    float, Field(gt=0, allow_inf_nan=False), BeforeValidator(_no_bool), Expected("a number of minutes above 0")
]
Flag = Annotated[bool, Expected("true or false")]
Items = Annotated[tuple[NonEmpty, ...], BeforeValidator(_items), Expected("a list of strings that aren't empty")]
Variables = Annotated[
    tuple[NonEmpty, ...], BeforeValidator(_variables), Expected("a list of names of environment variables")
]
Names = Annotated[
    tuple[NonEmpty, ...],
    Field(min_length=1),
    BeforeValidator(_items),
    Expected("a name, or a list of names"),
]
Tables = Annotated[
    dict[NonEmpty, dict[str, Any]], BeforeValidator(_table), Expected("a table of tables, one for each name")
]
Checks = Annotated[
    tuple[NonEmpty, ...], BeforeValidator(_checks), Expected('a list of checkers, each a name or "name=command"')
]
Argv = Annotated[tuple[str, ...], BeforeValidator(_argv), Expected("a command line, or a list of its arguments")]
Paths = Annotated[tuple[Path, ...], BeforeValidator(_paths), Expected("a list of paths")]
Hosts = Annotated[
    tuple[NonEmpty, ...], BeforeValidator(_network), Expected('"host", "none", or a list of hosts with their ports')
]
SandboxKind = Annotated[Literal["auto", "bwrap", "none"], Expected('"auto", "bwrap" or "none"')]
Escapes = Annotated[Literal["refuse", "report"], Expected('"refuse" or "report"')]
RuntimeName = Annotated[
    Literal["auto", "native", "langgraph", "cluster"], Expected('"auto", "native", "langgraph" or "cluster"')
]
Address = Annotated[
    str, StringConstraints(pattern=r"^(tcp|tls)://\S+:\d+$"), Expected('an address such as "tcp://127.0.0.1:8786"')
]
WorkspaceKindName = Annotated[Literal["auto", "overlay", "plain"], Expected('"auto", "overlay" or "plain"')]
PerWhat = Annotated[Literal["run", "file"], Expected('"run" or "file"')]
Gate = Literal[
    "configuration",
    "suppressions",
    "tests",
    "words",
    "definitions",
    "removal",
    "types",
    "swallowing",
    "pretence",
    "dynamic",
    "tricks",
    "protection",
    "names",
    "unrelated",
    "size",
]
Gates = Annotated[tuple[Gate, ...], BeforeValidator(_items), Expected(f"a list of gates: {', '.join(get_args(Gate))}")]
TestMode = Annotated[
    Literal["batch", "each", "final", "none"], Expected('"batch", "each", "final" or "none" ("full" is "each")')
]


def default_workspaces() -> Path:
    """The user's cache directory for Fanfold, outside every project."""
    return user_cache_path("fanfold", appauthor=False)


def default_state() -> Path:
    """The user's directory for what Fanfold has to remember, outside every project."""
    return user_state_path("fanfold", appauthor=False)


class FixSettings(BaseSettings):
    """What `fanfold fix` can be told, complete and checked.

    Args:
        jobs: files worked on at the same time.
        agent: names of agents, tried one after another on what is left; each may have an argument after a colon.
        race: whether those that aren't deterministic work on the same file side by side, and the first one wins.
        agents: settings of agents by name; "use" names an agent that is installed, where the name isn't one.
        agent_command: the program that agent "command" runs, with its arguments.
        agent_env: environment variables that the agent may see beside the usual ones.
        checks: checkers to run, empty = those that the project configures.
        select, ignore: rules, as prefixes.
        include, exclude: globs of paths.
        baseline: a file of findings to live with, absolute.
        only_new: a revision; findings that were there where the branch parted from it are left alone, "auto" = the
            default branch, or the upstream.
        max_files, max_findings: at most so many in one run, None = all.
        max_cost_usd, max_tokens, max_minutes: at most so much for the whole run, None = as much as it takes.
        task_max_cost_usd, task_max_tokens, task_max_minutes: the same for each file.
        max_attempts: tries for each file.
        deadline_s: seconds for one attempt of an agent.
        tests: when the test suite runs.
        hooks: whether the user's pre-commit hook judges what is to land.
        coverage: whether it is looked which changed lines of the result the tests run.
        two_files: whether an agent may change a second file, where the cause of a finding may lie.
        test_command: how the suite is called, None = it is found.
        test_deadline_s: seconds for one run of the suite.
        annotate: whether missing type annotations are added.
        learn: whether runs go by what earlier ones showed of agents and rules, and add to it.
        allow: gates that are open: what they would refuse may land.
        max_changed_lines: how many lines of a file a change may touch, None = what its findings explain.
        sandbox: what keeps an agent's programs in their workspace; "auto" = bubblewrap where it works, else "none".
        sandbox_read, sandbox_write: paths that they may read, or write, beside what they need, absolute.
        agent_network: "host" = all of it, "none", or the hosts that they may reach, as host:port.
        escapes: what becomes of an attempt while which something outside of its workspace was changed.
        workspace_max_bytes: how much one attempt may write.
        setup: a command that makes a workspace ready, once for each.
        setup_files: files of the repository that make it run again when they change, empty = the usual lockfiles.
        copy_files: files of the checkout that git doesn't track, for each workspace.
        per: one result branch for the run, or beside it one for each file.
        workspaces: the directory of the working copies, absolute.
        workspace_kind: layers over one checkout, a checkout each, or "auto" = layers where the kernel allows them.
        state: the directory of the records of runs, absolute; on a local disk.
        runtime: who runs the branches; "auto" = LangGraph where it is installed, else "native".
        cluster: the address of a cluster's scheduler.
        cluster_certificates: folder of ca.pem, cert.pem and key.pem, absolute; for a cluster on other machines.
        workers: processes of a cluster on this machine, as long as the run.
    """

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX,
        env_ignore_empty=True,
        enable_decoding=False,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=False,
    )

    jobs: Count = 4
    agent: Names = ("autofix",)
    race: Flag = False
    agents: Tables = Field(default_factory=dict)
    agent_command: Argv = ()
    agent_env: Variables = ()
    checks: Checks = ()
    select: Items = ()
    ignore: Items = ()
    include: Items = ()
    exclude: Items = ()
    baseline: Annotated[Path, Expected("a path of a file")] | None = None
    only_new: Text | None = None
    max_files: Count | None = None
    max_findings: Count | None = None
    max_cost_usd: Dollars | None = None
    max_tokens: Count | None = None
    max_minutes: Minutes | None = None
    task_max_cost_usd: Dollars | None = None
    task_max_tokens: Count | None = None
    task_max_minutes: Minutes | None = None
    max_attempts: Count = 3
    deadline_s: Seconds = 600.0
    tests: TestMode = "batch"
    hooks: Flag = True
    coverage: Flag = True
    two_files: Flag = True
    test_command: Text | None = None
    test_deadline_s: Seconds = 1800.0
    annotate: Flag = False
    learn: Flag = True
    allow: Gates = ()
    max_changed_lines: Count | None = None
    sandbox: SandboxKind = "auto"
    sandbox_read: Paths = ()
    sandbox_write: Paths = ()
    agent_network: Hosts = ("host",)
    escapes: Escapes = "refuse"
    workspace_max_bytes: Count = 2 * 1024**3
    setup: Text | None = None
    setup_files: Items = ()
    copy_files: Items = ()
    per: PerWhat = "run"
    workspaces: Annotated[Path, Expected("a path of a directory")] = Field(default_factory=default_workspaces)
    workspace_kind: WorkspaceKindName = "auto"
    state: Annotated[Path, Expected("a path of a directory")] = Field(default_factory=default_state)
    runtime: RuntimeName = "auto"
    cluster: Address | None = None
    cluster_certificates: Annotated[Path, Expected("a path of a directory")] | None = None
    workers: Count | None = None

    @field_validator("tests", mode="before")
    @classmethod
    def _full_means_each(cls, value: object) -> object:
        return "each" if value == "full" else value

    @field_validator("baseline", "workspaces", "state", "cluster_certificates", mode="after")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value and expanded(value).absolute()

    @model_validator(mode="before")
    @classmethod
    def _command_means_agent_command(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("agent_command") and "agent" not in data:
            return {**data, "agent": ("command",)}
        return data

    @model_validator(mode="before")
    @classmethod
    def _workers_mean_cluster(cls, data: Any) -> Any:
        if isinstance(data, dict) and (data.get("cluster") or data.get("workers")) and "runtime" not in data:
            return {**data, "runtime": "cluster"}
        return data


def workspaces_home(settings: FixSettings) -> Path:
    """The directory that holds every working copy, absolute; it need not exist yet."""
    return settings.workspaces
