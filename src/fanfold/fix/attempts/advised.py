"""Which of a project's advice nobody will read, as a run can know."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from importlib.metadata import entry_points
from pathlib import Path

from fanfold.fix.attempts.prompt import MYPY, told_by_ruff
from fanfold.fix.checkers.run import GROUP
from fanfold.fix.findings.finding import Finding
from fanfold.prompts import misnamed
from fanfold.prompts.advice import FOLDER, known_rules


async def unread_advice(
    root: Path, commands: Mapping[str, tuple[str, ...]], findings: Collection[Finding]
) -> tuple[str, ...]:
    """A line for each file of advice whose name is no rule's or whose folder no checker's.

    Args:
        root: the project's checkout.
        commands: how each checker of the run is called.
        findings: what they found: rules that there are.
    """
    if not await asyncio.to_thread((root / FOLDER).is_dir):
        return ()
    ruff = await told_by_ruff(commands["ruff"][0]) if "ruff" in commands else {}
    rules: dict[str, set[str]] = {name: set() for name in (*commands, *(one.name for one in entry_points(group=GROUP)))}
    found = {checker: {one.rule for one in findings if one.checker == checker} for checker in rules}
    for known in (known_rules(), found, {"mypy": frozenset(MYPY), "ruff": frozenset(ruff)}):
        for checker in known.keys() & rules.keys():
            rules[checker].update(known[checker])
    return await asyncio.to_thread(misnamed, root, rules, complete=("ruff",) if ruff else ())
