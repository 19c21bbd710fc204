"""What checkers of the whole project that answer in JSON have in common."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from fanfold.fix.checkers.invoke import DEADLINE_S, Answer, CouldNotCheck, failure, invoke, version_of
from fanfold.fix.checkers.paths import OutsideTree, Tree, wrong_code
from fanfold.fix.checkers.protocol import Scope
from fanfold.fix.findings.finding import Finding
from fanfold.fix.installed import site_directories, source_roots
from fanfold.process import Completed

T = TypeVar("T")


def search_folders(scope: Scope) -> tuple[str, ...]:
    """Where the project's own modules are in the tree, where an editable install says that, and `src`; absolute.

    Looked up before the environment, they keep a checker from the user's own checkout, to which an editable install
    leads.
    """
    folders = dict.fromkeys((*editable_folders(scope), "src"))
    return tuple(str(scope.root / name) for name in folders if (scope.root / name).is_dir())


def editable_folders(scope: Scope) -> tuple[str, ...]:
    """The folders below the project's root that an editable install of it has as places of modules."""
    project = scope.project
    found = source_roots(project.root, site_directories(project.python, project.environment))
    return tuple(name for name in found if name not in ("", "."))


async def asked(
    name: str,
    argv: Sequence[str],
    scope: Scope,
    read: Callable[[Mapping[str, Any], Tree], Finding | None],
    *,
    key: str | None = None,
    deadline_s: float = DEADLINE_S,
    env: Mapping[str, str] | None = None,
    ran: Callable[[int], bool] = lambda code: code in (0, 1),
    refuse: Callable[[Completed, Sequence[Any]], None] | None = None,
) -> Answer:
    """What a checker that answers with one JSON value for the whole project finds.

    Args:
        name: of the checker.
        argv: how it is called, in full.
        read: makes a finding of a diagnostic, None = it is none.
        key: where in its JSON the diagnostics are, None = they are all of it.
        env: what it sees of the environment, None = what any checker does.
        ran: whether an exit code says that it came to its end.
        refuse: told of the answer before it is read, of no diagnostics where there is none; raises what the caller
            of the checker is to blame for.
    Raises:
        CouldNotCheck: there is no answer, none that can be read, or nothing in it though the exit code says otherwise.
        FixError: `refuse` raised it.
    """
    version = await version_of(argv[0], scope)
    done = await invoke(argv, scope, deadline_s=deadline_s, env=env)
    items = _items(name, done, key) if ran(done.returncode) else None
    if refuse is not None:
        refuse(done, items or ())
    if items is None or (done.returncode and not items):
        raise failure(done)
    return Answer(inside(name, items, scope, read, done), version)


def _items(name: str, done: Completed, key: str | None) -> list[Any] | None:
    items = parsed(name, done, list) if key is None else parsed(name, done, dict).get(key)
    return items if isinstance(items, list) else None


def parsed(name: str, done: Completed, kind: type[T]) -> T:
    """A checker's JSON.

    Raises:
        CouldNotCheck: it is none, or no `kind`.
    """
    try:
        value = json.loads(done.stdout)
    except ValueError as error:
        raise failure(done, f"{name}'s answer can't be read: {error}") from error
    if not isinstance(value, kind):
        raise failure(done, f"{name}'s answer can't be read: it is no {kind.__name__}")
    return value


def inside(
    name: str,
    items: Iterable[Any],
    scope: Scope,
    read: Callable[[Mapping[str, Any], Tree], Finding | None],
    done: Completed,
) -> tuple[Finding, ...]:
    """The findings of a checker's answer that are in the tree.

    Args:
        name: of the checker.
        items: its diagnostics as they were in its JSON.
        read: makes a finding of one, None = it is none.
    Raises:
        CouldNotCheck: the answer isn't what is expected, or is about the user's own checkout.
    """
    tree = Tree(scope.root)
    findings: list[Finding] = []
    outside: list[str] = []
    try:
        for item in items:
            try:
                finding = read(item, tree)
            except OutsideTree as error:
                outside.append(error.path)
            else:
                findings += [finding] if finding else []
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise failure(done, f"{name}'s answer can't be read ({type(error).__name__}: {error})") from error
    wrong = wrong_code(outside, scope.project.root, scope.project.environment)
    if wrong is not None:
        raise CouldNotCheck(f"{name} looked at {wrong}, which is not in the tree that it was to check", findings)
    if scope.paths is not None:
        wanted = frozenset(scope.paths)
        findings = [finding for finding in findings if finding.path in wanted]
    return tuple(findings)
