"""What a change may not do, whatever the checkers say of it.

Each gate looks at one file before and after and gives the reasons for which it refuses the change, none where it may
pass. Gates go by the meaning of the code: by what it does, not by how it is written.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fanfold.fix.gates import (
    assertions,
    definitions,
    dynamic,
    laundering,
    names,
    paths,
    pretence,
    protection,
    removal,
    size,
    suppressions,
    swallowing,
    tricks,
    words,
)
from fanfold.fix.gates.assertions import keeps_tests
from fanfold.fix.gates.edit import Edit, is_python
from fanfold.fix.gates.modules import Modules
from fanfold.fix.gates.paths import is_configuration, steers
from fanfold.fix.gates.source import source_of
from fanfold.fix.gates.suppressions import no_suppression


@dataclass(frozen=True)
class Gate:
    """A kind of cheat and what finds it.

    Args:
        name: what a user allows it by.
        refuses: what it is against, in words that finish "refuses what ...".
        check: gives the reasons.
        reads_python: whether it looks at trees of Python code, so that it has nothing to say of others.
        late: whether it is asked only about what checkers have nothing against: what they say of the same is better.
    """

    name: str
    refuses: str
    check: Callable[[Edit], Iterable[str]]
    reads_python: bool = True
    late: bool = False


NAMES_GATE = "names"
SIZE = "size"
GATES = (
    Gate("configuration", "edits what steers checkers, tests or the installation", paths.check, reads_python=False),
    Gate("suppressions", "tells a checker to look away", suppressions.check, reads_python=False),
    Gate("tests", "removes, skips or weakens tests", assertions.check, reads_python=False),
    Gate("words", "instructs whoever reads the file next, or hides characters", words.check, reads_python=False),
    Gate("definitions", "takes functions or classes away", definitions.check),
    Gate("removal", "takes code away that does something", removal.check),
    Gate("types", "makes types vaguer: Any, cast, object", laundering.check),
    Gate("swallowing", "makes errors vanish", swallowing.check),
    Gate("pretence", "uses something only so that it counts as used", pretence.check),
    Gate("dynamic", "hides names or code from the checkers", dynamic.check),
    Gate("tricks", "shows checkers other code than what runs", tricks.check),
    Gate("protection", "weakens what protects: certificates, hashes, escaping, secrets", protection.check),
    Gate(NAMES_GATE, "uses names that don't exist", names.check, late=True),
    Gate("unrelated", "changes lines that no finding is about", size.unrelated),
)
NAMES = (*(gate.name for gate in GATES), SIZE)


@dataclass(frozen=True)
class Policy:
    """What the user lets pass.

    Args:
        allow: names of gates that are open.
        max_lines: changed lines of one file at most, None = what the number of findings explains.
    """

    allow: frozenset[str] = frozenset()
    max_lines: int | None = None


def refusals(edit: Edit, policy: Policy | None = None) -> tuple[str, ...]:
    """Why a change may not land, before any checker looks at it; each reason with the name of its gate."""
    policy = policy or Policy()
    reasons = _asked([gate for gate in GATES if not gate.late], edit, policy)
    if SIZE not in policy.allow:
        reasons += [f"{reason} (gate {SIZE})" for reason in size.too_large(edit, policy.max_lines)]
    return tuple(dict.fromkeys(reasons))


def late_refusals(edit: Edit, policy: Policy | None = None) -> tuple[str, ...]:
    """Why a change may not land that checkers have nothing against."""
    return tuple(dict.fromkeys(_asked([gate for gate in GATES if gate.late], edit, policy or Policy())))


def _asked(gates: Iterable[Gate], edit: Edit, policy: Policy) -> list[str]:
    return [
        f"{reason} (gate {gate.name})"
        for gate in gates
        if gate.name not in policy.allow and (edit.readable or not gate.reads_python)
        for reason in gate.check(edit)
    ]


def can_be_read(source: bytes) -> bool:
    """Whether gates can read a text as Python: in what they can't, most of them see nothing."""
    return source_of(source) is not None


def syntax_problem(source: bytes) -> str | None:
    """Why Python source does not compile on this interpreter; None when it does."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, "<change>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        return str(error) or type(error).__name__
    return None


__all__ = [
    "GATES",
    "NAMES",
    "NAMES_GATE",
    "Edit",
    "Gate",
    "Modules",
    "Policy",
    "can_be_read",
    "is_configuration",
    "is_python",
    "keeps_tests",
    "late_refusals",
    "no_suppression",
    "refusals",
    "steers",
    "syntax_problem",
]
