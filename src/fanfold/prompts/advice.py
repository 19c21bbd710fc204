"""How findings of a rule are fixed well, and which fix is none: a file for each rule, ours or the project's."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

FOLDER = ".fanfold/advice"
MAX_CHARS = 4_000
MAX_NAME = 200
SAME = {"basedpyright": "pyright"}
"""Checkers whose rules are called as another's."""

_NAME = re.compile(r"[A-Za-z0-9@_-][A-Za-z0-9@_.-]*(/[A-Za-z0-9@_-][A-Za-z0-9@_.-]*)*")


@dataclass(frozen=True)
class Advice:
    """What is known of fixing some rules, by rule.

    Args:
        ours: what Fanfold says.
        own: what the project says, which goes before; as untrusted as all that a repository holds.
    """

    ours: dict[str, str] = field(default_factory=dict)
    own: dict[str, str] = field(default_factory=dict)


def advice_on(rules: Iterable[tuple[str, str]], root: Path | None = None) -> Advice:
    """The advice there is on some rules.

    Args:
        rules: checkers' names with their rules.
        root: the project's checkout, where `.fanfold/advice/CHECKER/RULE.md` replaces ours or adds to it; None = ours
            only.
    """
    wanted = sorted({one for one in rules if all(_NAME.fullmatch(name) and len(name) <= MAX_NAME for name in one)})
    own = {rule: text for checker, rule in wanted if root is not None and (text := _own(root, checker, rule))}
    ours = {rule: text for checker, rule in wanted if rule not in own and (text := _ours(checker, rule))}
    return Advice(ours, own)


@functools.lru_cache(maxsize=512)
def _ours(checker: str, rule: str) -> str:
    name = _alike().get(SAME.get(checker, checker), {}).get(rule, f"{checker}/{rule}")
    file = resources.files("fanfold") / "advice" / f"{name}.md"
    return file.read_text("utf-8").strip() if file.is_file() else ""


@functools.cache
def _alike() -> dict[str, dict[str, str]]:
    """Rules of other checkers that mean what one with advice means, by checker."""
    return tomllib.loads((resources.files("fanfold") / "advice" / "alike.toml").read_text("utf-8"))


def known_rules() -> dict[str, frozenset[str]]:
    """The rules that there is advice on, by checker."""
    folder = resources.files("fanfold") / "advice"
    rules = {checker: set(names) for checker, names in _alike().items()}
    for checker in (one for one in folder.iterdir() if one.is_dir()):
        rules.setdefault(checker.name, set()).update(one.name.removesuffix(".md") for one in checker.iterdir())
    rules |= {name: rules[same] for name, same in SAME.items() if same in rules}
    return {checker: frozenset(names) for checker, names in rules.items()}


def file_of(root: Path, checker: str, rule: str) -> Path | None:
    """The project's own file on a rule; None where there is none that is read."""
    inner = f"{FOLDER}/{checker}/{rule}.md"
    try:
        # A link may lead to what is in the checkout and none of the repository's: .env, .git/config.
        is_its = (root / inner).resolve() == root.resolve() / inner and (root / inner).is_file()
    except OSError:
        return None
    return root / inner if is_its else None


def _own(root: Path, checker: str, rule: str) -> str:
    try:
        if (path := file_of(root, checker, rule)) is None:
            return ""
        with path.open("rb") as file:
            return file.read(4 * MAX_CHARS).decode("utf-8", "replace")[:MAX_CHARS].strip()
    except OSError:
        return ""
