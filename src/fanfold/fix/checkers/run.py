"""Which checkers a project gets, and one run of them side by side."""

from __future__ import annotations

import asyncio
import dataclasses
import difflib
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from fanfold.errors import FanfoldError
from fanfold.fix.checkers.invoke import bounded
from fanfold.fix.checkers.protocol import Checked, Checker, Scope
from fanfold.fix.checkers.rules import ALL, MYPY, RUFF, owner_and_rule
from fanfold.fix.checkers.sarif import SarifCommand
from fanfold.fix.errors import FixError
from fanfold.fix.findings.finding import Finding
from fanfold.fix.findings.globs import Globs

GROUP = "fanfold.checkers"
DEFAULT = "ruff"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Census:
    """What all checkers said of one tree, in the order of the checkers."""

    checked: tuple[Checked, ...]

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, by path and place."""
        return tuple(sorted(finding for one in self.checked for finding in one.findings))

    @property
    def errors(self) -> dict[str, str]:
        """By checker's name, why it could not check; empty if all could."""
        return {one.checker: one.error for one in self.checked if one.error is not None}


def checkers_for(root: Path, specs: Sequence[str] = ()) -> tuple[Checker, ...]:
    """The checkers to run.

    Args:
        root: the project, whose configuration says which checkers it uses.
        specs: names of installed checkers, or `name=command` for a command that writes SARIF (or for what the
            checker of that name is to run, if it says that it takes one); empty = those that the project configures,
            else ruff.
    Returns:
        At least one, in the order of `specs`; those found by configuration in the order of their names.
    Raises:
        FixError: no checker is called so, two are called alike, a command can't be read, a checker can't be
            imported, or `pyproject.toml` is no TOML.
    """
    known = {entry.name: entry for entry in entry_points(group=GROUP)}
    if not specs:
        return _configured(root, known)
    checkers = tuple(_checker(spec, known) for spec in specs)
    names = [checker.name for checker in checkers]
    for name in names:
        if names.count(name) > 1:
            raise FixError(f"two checkers are called {name!r}", hint="give each its own name, as in name=command")
    return checkers


def refuse_unasked(checkers: Sequence[Checker], select: Sequence[str]) -> None:
    """Make sure that each rule in `select` has a checker to ask: what nobody checks would count as clean.

    Args:
        checkers: all of a run, not a part of them.
        select: as `checkers.rules` reads it.
    Raises:
        FixError: a selector is for a checker that isn't among `checkers`.
    """
    names = [checker.name for checker in checkers]
    for selector in select:
        owner, rule = owner_and_rule(selector)
        named = selector != rule
        # A rule that only looks like ruff's or mypy's may be one of a command, which can't be asked what it knows.
        if owner is None or owner in names or selector == ALL or (not named and not {RUFF, MYPY}.issuperset(names)):
            continue
        near = difflib.get_close_matches(owner, names, n=1) if named else []
        hint = f"did you mean {near[0]}:{rule}? " if near else ""
        what = (
            f"{selector!r} names no checker of this run" if named else f"no checker of this run has rules like {rule!r}"
        )
        raise FixError(what, hint=f"{hint}running: {', '.join(names)}")


async def run_checkers(checkers: Sequence[Checker], scope: Scope) -> Census:
    """Run the checkers side by side over one tree; `scope.paths` narrows those that look at files one by one.

    Returns:
        One Checked for each checker, in order, without what `scope.exclude` names and what symbolic links lead to:
        that is found where it stands, if it is the project's. A checker that raises could not check, whoever
        wrote it.
    Raises:
        FixError: a checker doesn't know a rule of `scope.select` that is its own.
    """
    # As values, the failure of one checker doesn't cancel the others; a cancellation still waits for all.
    # What a checker of the whole project says of one file may depend on any other.
    whole = dataclasses.replace(scope, paths=None)
    work = [checker.check(scope if checker.reach == "file" else whole) for checker in checkers]
    answers = await asyncio.gather(*work, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, FixError) or (isinstance(answer, BaseException) and not isinstance(answer, Exception)):
            raise answer
    excluded = Globs(scope.exclude)
    named = [_checked(checker.name, answer) for checker, answer in zip(checkers, answers, strict=True)]
    links = await asyncio.to_thread(_links, scope.root, {finding.path for one in named for finding in one.findings})
    return Census(tuple(_without(one, excluded, links) for one in named))


def _links(root: Path, paths: Iterable[str]) -> frozenset[str]:
    """Those of the paths that are symbolic links, or below one."""
    real = root.resolve()
    return frozenset(path for path in paths if (real / path).resolve() != real / path)


def _configured(root: Path, known: dict[str, EntryPoint]) -> tuple[Checker, ...]:
    found = []
    for name in sorted(known):
        kind = _loaded(known[name])
        configured = getattr(kind, "configured", None)
        if configured is not None and configured(root):
            found.append(kind())
    return tuple(found) or (_checker(DEFAULT, known),)


def _checker(spec: str, known: dict[str, EntryPoint]) -> Checker:
    name, equals, command = spec.partition("=")
    if equals:
        return _command(name.strip(), command, known)
    if name in known:
        checker: Checker = _loaded(known[name])()
        return checker
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise FixError(
        f"there is no checker {name!r}",
        hint=f"{hint}known are {', '.join(names)}; any command that writes SARIF is given as name=command",
    )


def _command(name: str, command: str, known: dict[str, EntryPoint]) -> Checker:
    called = getattr(_loaded(known[name]), "called", None) if name in known else None
    if called is not None:
        checker: Checker = called(command)
        return checker
    if not _NAME.fullmatch(name):
        raise FixError(f"{name!r} is no name for a checker", hint="use letters, digits, '-', '_' and '.'")
    try:
        argv = tuple(shlex.split(command))
    except ValueError as error:
        raise FixError(f"the command of checker {name!r} can't be read: {error}", hint="balance its quotes") from error
    return SarifCommand(name, argv)


def _loaded(entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except (ImportError, AttributeError) as error:
        raise FixError(f"checker {entry.name!r} ({entry.value}) can't be imported: {error}") from error


def _checked(name: str, answer: Checked | BaseException) -> Checked:
    if isinstance(answer, FanfoldError):
        return Checked(name, error=bounded(answer.message))
    if isinstance(answer, BaseException):
        return Checked(name, error=bounded(f"{type(answer).__name__}: {answer}"))
    return answer


def _without(checked: Checked, excluded: Globs, links: frozenset[str]) -> Checked:
    kept = tuple(one for one in checked.findings if one.path not in links and not excluded.match(one.path))
    return checked if len(kept) == len(checked.findings) else dataclasses.replace(checked, findings=kept)
