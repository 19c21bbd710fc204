"""How one program is called, what its output means, and what it needs: the shape that all presets have."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt, ValidationError

from fanfold.agents.program import Program, found
from fanfold.agents.protocol import Agent, AgentUnusable
from fanfold.agents.registry import AgentSettings
from fanfold.agents.spending import Spending, Terms
from fanfold.llm.usage import Usage
from fanfold.process import Completed

EVERY = frozenset({"model", "extra_args", "program", "max_cost_usd", "price_per_million"})
"""Options that every preset has."""
MAX_BROKEN = 1_000
"""How many lines that begin like JSON, and are none, are gone past in an output."""
MAX_BROKEN_CHARS = 4_000_000
"""How much may be read of these in vain: each may go on until the output's end."""


class Options(BaseModel):
    """What the user may set for a program, in the agent's table.

    Attributes:
        model: as the program itself calls it.
        extra_args: arguments that it gets beside the preset's, before the task.
        program: where it is, where it isn't on PATH or is called otherwise.
        max_turns: how often it may ask its model in one attempt.
        max_cost_usd: what one attempt may cost; where the program can't be told to stop there and names no cost
            afterwards, it counts for each attempt.
        price_per_million: dollars for a million tokens read and written, where the program tells no cost; [0, 0] for
            a model of your own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Annotated[str, Field(min_length=1)] | None = None
    extra_args: tuple[str, ...] = ()
    program: Annotated[str, Field(min_length=1)] | None = None
    max_turns: PositiveInt | None = None
    max_cost_usd: PositiveFloat | None = None
    price_per_million: tuple[NonNegativeFloat, NonNegativeFloat] | None = None


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One attempt, as far as it decides how a program is called.

    Args:
        file: the file to fix, as an argument, relative to `root`.
        root: the workspace, where it runs.
        prompt_file: a file that holds the task.
        notes: a private folder for what it writes beside its work.
        sandboxed: whether it runs in a sandbox of Fanfold's.
        cost_usd: what this attempt may cost, None = as much as it takes.
    """

    file: str
    root: Path
    prompt_file: Path
    notes: Path
    options: Options = field(default_factory=Options)
    sandboxed: bool = False
    cost_usd: float | None = None

    def chosen(self, flag: str) -> tuple[str, ...]:
        """The flag with the model that the user chose, if there is one."""
        return () if self.options.model is None else (flag, self.options.model)


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a program's output means.

    Args:
        summary: what it says it did.
        failed: why it failed, in its own words; "" = it didn't.
        stopped: which limit it stopped at, with what it did until then still to be judged; "" = none.
        usage: what it took, None = it didn't say.
        session: its own name for what it did.
    """

    summary: str = ""
    failed: str = ""
    stopped: str = ""
    usage: Usage | None = None
    session: str = ""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A program that Fanfold knows.

    Args:
        name: of the agent, and of the program unless `program` says otherwise.
        install: how it is installed.
        arguments: how it is called; where `prompt` is "stdin", the task comes on standard input.
        read: what its output means.
        prompt: how it gets the task.
        variables: environment variables of the user's that it may see.
        given: those that it gets, whatever the user's are.
        logins: files below the home directory that a sandbox lets it read.
        hosts: what it must reach, for `agent_network`.
        login: how the user logs in.
        options: those that it has beside EVERY.
        leaves: patterns of what it puts into the folder that it runs in.
        settings: patterns of names at the top of a project that it would take for settings of its own, in small
            letters: such files come with a repository, and may have it run programs or send keys elsewhere.
        unbounded: why it is not started without a sandbox, unless that is asked for; "" = it is.
        keeps_budget: whether it stops by itself at a cost.
    """

    name: str
    install: str
    arguments: Callable[[Ask], Sequence[str]]
    read: Callable[[Completed, Ask], Said]
    program: str = ""
    prompt: Literal["stdin", "file"] = "stdin"
    variables: tuple[str, ...] = ()
    given: Callable[[Ask], Mapping[str, str]] = field(default=lambda _: {})
    logins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    login: str = ""
    options: frozenset[str] = frozenset()
    leaves: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    unbounded: str = ""
    keeps_budget: bool = False
    argument: ClassVar[str] = "model"

    @property
    def command(self) -> str:
        """What the program is called on PATH."""
        return self.program or self.name

    def make(self, settings: AgentSettings) -> Agent:
        """The agent, its program found and its options checked.

        Raises:
            AgentUnusable: there is no such program, or an option is wrong.
        """
        from fanfold.agents.presets.agent import PresetAgent  # noqa: PLC0415 it is made of presets

        options = self._options(settings)
        path = found(options.program or self.command, setting=f"agent {self.name!r}", hint=self.install)
        env = tuple(dict.fromkeys((*self.variables, *settings.agent_env)))
        program = Program(path, env, settings.deadline_s, tuple(Path.home() / login for login in self.logins))
        terms = Terms(max_cost_usd=options.max_cost_usd, keeps_budget=self.keeps_budget)
        return PresetAgent(self, program, options, settings.name or self.name, Spending(terms))

    def _options(self, settings: AgentSettings) -> Options:
        known = EVERY | self.options
        for option in settings.options:
            if option not in known:
                raise AgentUnusable(
                    f"agent {settings.name!r} has no setting {option!r}", hint=f"there are {', '.join(sorted(known))}"
                )
        try:
            return Options.model_validate(dict(settings.options))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise AgentUnusable(
                f"setting {place!r} of agent {settings.name!r} can't be used: {first['msg']}",
                hint="correct it in its table of tool.fanfold.fix.agents",
            ) from None


def usage(
    *,
    requests: object = 0,
    input_tokens: object = 0,
    output_tokens: object = 0,
    cost_usd: object = None,
    price: tuple[float, float] | None = None,
) -> Usage:
    """What a program says it took; figures that are none count as nothing.

    A cost of nothing is what programs say of a model whose price they don't know.

    Args:
        price: of a million tokens read and written, where the program names no cost.
    """
    tokens_in, tokens_out = _count(input_tokens), _count(output_tokens)
    cost = _dollars(cost_usd) or None
    if cost is None and price is not None:
        cost = (tokens_in * price[0] + tokens_out * price[1]) / 1_000_000
    return Usage(requests=_count(requests), input_tokens=tokens_in, output_tokens=tokens_out, cost_usd=cost)


def total(values: Mapping[str, Any], *names: str) -> int:
    """The sum of some figures; what isn't there, or is no figure, counts as nothing."""
    return sum(_count(values.get(name)) for name in names)


def mapping(value: object) -> Mapping[str, Any]:
    """A value of some JSON as what it should be; empty where it is something else."""
    return value if isinstance(value, dict) else {}


def text(value: object) -> str:
    """A value of some JSON as text; "" where it is something else."""
    return value.strip() if isinstance(value, str) else ""


def documents(output: bytes) -> Iterator[Mapping[str, Any]]:
    """The JSON objects that stand in an output, each on lines of its own; what stands between them is left out."""
    decoder = json.JSONDecoder()
    words = output.decode(errors="replace")
    at = broken = read = 0
    while broken < MAX_BROKEN and read < MAX_BROKEN_CHARS and (at := _next_line_with_object(words, at)) >= 0:
        try:
            value, at = decoder.raw_decode(words, at)
        except (ValueError, RecursionError) as error:
            broken += 1
            read += error.pos - at if isinstance(error, json.JSONDecodeError) else MAX_BROKEN_CHARS // 10
            at = words.find("\n", at) + 1 or len(words)
            continue
        if isinstance(value, dict):
            yield value


def _next_line_with_object(words: str, at: int) -> int:
    while 0 <= at < len(words):
        end = words.find("\n", at)
        line = words[at : end if end >= 0 else len(words)]
        if line.lstrip().startswith("{"):
            return at + len(line) - len(line.lstrip())
        at = end + 1 if end >= 0 else -1
    return -1


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return 0
    return max(0, int(value))


def _dollars(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        return None
    return float(value)
