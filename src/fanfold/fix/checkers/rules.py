"""Which rules a selector means, and which checker it is for.

A selector is a rule or a prefix of rules (`F401`, `F4`, `F`, `arg-type`), a checker's rule (`mypy:arg-type`), a whole
checker (`mypy`, `mypy:ALL`) or `ALL`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from fanfold.fix.findings.finding import Finding

ALL = "ALL"
SYNTAX = "invalid-syntax"
"""What ruff always checks and can't be asked for."""
RUFF = "ruff"
MYPY = "mypy"

UNREADABLE = frozenset({"invalid-syntax", "E902", "syntax", "could-not-check"})
"""Rules that say a file could not be read, whichever checker's: nothing else is known of it."""

_CODE = re.compile(r"([A-Z]+)(\d*)")
# Wide enough to hold misspelt ones, which their owner then knows nothing of: F4O1, f401.
_RUFF_SHAPE = re.compile(r"[A-Z][A-Za-z0-9]*|[a-z]+[0-9][A-Za-z0-9]*")
_MYPY_SHAPE = re.compile(r"[a-z]+(-[a-z]+)*")
_BOUNDARY = re.compile(r"[-_./:]")
_FAMILIES = ("PL",)
"""Prefixes that ruff itself has above letters: PL is PLC, PLE, PLR and PLW."""


def rules_for(checker: str, selectors: Sequence[str]) -> tuple[str, ...]:
    """The rules among `selectors` that `checker` is to be asked for, without its name."""
    owned = (owner_and_rule(selector) for selector in selectors)
    return tuple(dict.fromkeys(rule for owner, rule in owned if owner == checker and rule))


def owner_and_rule(selector: str) -> tuple[str | None, str]:
    """Which checker a selector asks, and for what rule; no rule where the whole checker is meant.

    Without a checker's name a selector of ruff's shape is ruff's and one of mypy's shape mypy's; any other can
    only be a rule of a checker that can't be asked for rules, and has no owner.
    """
    owner, rule = split_selector(selector)
    if owner is not None:
        return owner, "" if owner != RUFF and rule == ALL else rule
    if rule in (RUFF, MYPY):
        return rule, ""
    if rule == SYNTAX:
        return None, rule
    if _RUFF_SHAPE.fullmatch(rule):
        return RUFF, rule
    return (MYPY, rule) if _MYPY_SHAPE.fullmatch(rule) else (None, rule)


def split_selector(selector: str) -> tuple[str | None, str]:
    """The checker and the rule of `checker:rule`; no checker where there is no colon."""
    owner, colon, rule = selector.partition(":")
    return (owner, rule) if colon else (None, selector)


def matches(finding: Finding, selector: str) -> bool:
    """Whether `selector` means `finding`."""
    owner, rule = split_selector(selector)
    if owner is None and rule == finding.checker:
        return True
    if owner not in (None, finding.checker):
        return False
    return rule in ("", ALL) or _covers(rule, finding.rule)


def _covers(prefix: str, rule: str) -> bool:
    if prefix == rule:
        return True
    asked, has = _CODE.fullmatch(prefix), _CODE.fullmatch(rule)
    if asked and has:
        # F means F401 but not FURB101: letters are compared whole, digits as a prefix.
        if prefix in _FAMILIES:
            return has[1].startswith(prefix)
        return asked[1] == has[1] and has[2].startswith(asked[2])
    return rule.startswith(prefix) and (_BOUNDARY.match(rule, len(prefix)) is not None or not prefix[-1:].isalnum())
