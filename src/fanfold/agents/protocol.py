"""What an agent is given, what it gives back, and the one method that it has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from fanfold.errors import FanfoldError
from fanfold.llm.usage import Usage
from fanfold.process import Sandbox


class AgentError(FanfoldError):
    """The agent ended without an answer: it crashed, was killed, or refused.

    `usage` is what it took until then, None where nobody knows; `transcript` what was asked and answered; `again`
    whether another try might end otherwise.
    """

    usage: Usage | None = None
    transcript: str = ""
    again: bool = True


class AgentUnusable(FanfoldError):
    """The agent can't work with its settings, or isn't there; said before anything runs."""


class BudgetExhausted(AgentError):
    """What was to be done next might take more than is left of a budget, so it wasn't begun.

    Attributes:
        for_many: the same without figures, which are others for each file; None = there are none in it.
    """

    for_many: str | None = None


class Diagnostic(Protocol):
    """The part of a finding that an agent works from."""

    @property
    def path(self) -> str: ...
    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...
    @property
    def checker(self) -> str: ...
    @property
    def rule(self) -> str: ...
    @property
    def message(self) -> str: ...


@dataclass(frozen=True)
class Verdict:
    """What verification says of a workspace as it stands.

    `fixed` and `left` count the findings of the task; `gone` are all findings of the base that are no more, `added`
    those that the base doesn't have. `ok` means
    that the change may land: something was fixed, nothing was added, and no rule was broken. `reasons` say why not.
    """

    ok: bool
    reasons: tuple[str, ...] = ()
    fixed: int = 0
    left: int = 0
    added: tuple[Diagnostic, ...] = ()
    gone: tuple[Diagnostic, ...] = ()

    @property
    def harmless(self) -> bool:
        """Whether nothing speaks against the change, even if it fixes nothing of the task (yet)."""
        return self.ok or not (self.reasons or self.added)


@dataclass(frozen=True)
class Material:
    """What helps with the findings of a file; texts of the repository and of its tools in it are untrusted.

    Args:
        explanations: what rules mean in their checkers' words, by rule.
        advice: how findings are best fixed, by rule.
        conventions: what the project says of its own style.
        examples: diffs that were verified in this project, by rule.
        own_advice: how the project itself wants findings fixed, by rule; `advice` is then silent on them.
        templates: the project's own templates of prompts, by name, for `fanfold.prompts.render`.
    """

    explanations: Mapping[str, str] = field(default_factory=dict)
    advice: Mapping[str, str] = field(default_factory=dict)
    conventions: str = ""
    examples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    own_advice: Mapping[str, str] = field(default_factory=dict)
    templates: Mapping[str, str] = field(default_factory=dict)


class Reservation(Protocol):
    """A part of the budgets that nobody else can spend until it is settled."""

    def settle(self, usage: Usage) -> None:
        """Give back what wasn't used; the figures that count are those of `usage`."""
        ...


class Purse(Protocol):
    """What one attempt may still spend, of its task's budget and of the run's."""

    def reserve(self, *, tokens: int, cost_usd: float | None = None) -> Reservation:
        """Set aside the most that a request may take, before it is sent.

        Args:
            cost_usd: None = nobody knows the price.
        Raises:
            BudgetExhausted: so much isn't left, or others have set it aside.
        """
        ...

    async def reserve_in_turn(self, *, tokens: int, cost_usd: float | None = None) -> Reservation:
        """As `reserve`, once others have given back what they set aside and didn't use.

        Raises:
            BudgetExhausted: so much isn't left, whatever others give back.
        """
        ...

    @property
    def left_cost_usd(self) -> float | None:
        """What may still be spent, for programs that can keep a limit themselves; None = there is no limit."""
        ...


@dataclass(frozen=True)
class Assignment:
    """One attempt at one file.

    Args:
        root: the workspace; the agent runs here and may change `path` only, and `others`.
        path: the file to work on, relative to `root`.
        findings: what to fix, all of them in `path`.
        others: files that may be changed, too, since the cause of a finding may lie there.
        prompt: the task in words, complete with code and rules' explanations.
        attempt: 1 for the first.
        feedback: what verification said of the attempt before, "" for the first.
        commands: how each checker is called, by its name, without paths.
        select: rules that the user asked for, as prefixes; empty = all that the project has.
        ignore: rules that the user left out, as prefixes.
        formats: whether the project keeps this file formatted.
        annotate: whether type annotations are to be added.
        scratch: a private directory outside the tree.
        verify: judges the workspace as it stands now; may be called any number of times.
        sandbox: what programs that the agent starts are to be kept in, None = nothing.
        environment: variables for such programs, with which the project's own Python runs the workspace's code.
        max_file_bytes: how large a file they may make, None = any size.
        material: what `prompt` was made of, for agents that ask in words of their own.
        purse: what may be spent, None = as much as it takes.
        leave: findings of the file that the project lives with, and that aren't to be fixed along.
    """

    root: Path
    path: str
    findings: tuple[Diagnostic, ...]
    prompt: str
    scratch: Path
    verify: Callable[[], Awaitable[Verdict]]
    others: tuple[str, ...] = ()
    attempt: int = 1
    feedback: str = ""
    commands: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    formats: bool = False
    annotate: bool = False
    sandbox: Sandbox | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    max_file_bytes: int | None = None
    material: Material = field(default_factory=Material)
    purse: Purse | None = None
    leave: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True)
class Report:
    """What an agent says it did; nothing of it is believed, verification decides.

    `refused` lists the fixes that the agent itself took back, each with the reason. `usage` is what it took, None where
    nobody knows; `session` is the agent's own name for what it did, to be looked up there.
    """

    summary: str = ""
    refused: tuple[str, ...] = ()
    transcript: str = ""
    usage: Usage | None = None
    session: str = ""


class Agent(Protocol):
    """Works on one file in a workspace of its own.

    `deterministic` agents are not tried again: a second attempt would do the same. An agent that starts programs which
    may do anything says so with an attribute `starts_programs = True`: then there is a sandbox to start them in, and
    without one the user's checkout is watched meanwhile. One that may never say all that it took names what it says in
    an attribute `tells`, a set of "cost" and "tokens": within a limit of anything else it isn't begun with.
    One of whose attempts the user says what they cost has that in an attribute `attempt_cost_usd`.
    One that has a purse set aside what each of its requests may take has `reserves = True`.
    One that asks a model whose price nobody knows has `price_known = False`: nor is that, within a limit of money.
    """

    @property
    def name(self) -> str: ...
    @property
    def deterministic(self) -> bool: ...

    async def work(self, assignment: Assignment) -> Report:
        """Change the workspace so that the findings go away.

        Raises:
            AgentError: no answer; what the workspace holds by then is dropped.
        """
        ...
