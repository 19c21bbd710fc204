"""Parts of verified diffs that show how a rule's findings are fixed in this project."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from fanfold.agents.protocol import Diagnostic
from fanfold.fix.attempts.trail import CUT, Trail, by_rule
from fanfold.fix.learning.lesson import Example
from fanfold.redact import redact

MOST_LINES = 30
MOST_CHARS = 1_500
MOST_OF_A_RULE = 3
"""From one file."""

_FILE = re.compile(r"^diff --git ", re.MULTILINE)
_HUNK = re.compile(r"^@@ -(\d+)(?:,\d+)? \+\d+(?:,\d+)? @@.*$", re.MULTILINE)
_CUT_MARK = CUT.strip().rpartition("}")[2]


@dataclass(frozen=True)
class _Part:
    """A hunk: the first and the last line of the base that it changes, and its text without the line of numbers."""

    first: int
    last: int
    text: str


def examples_of(trail: Trail, findings: Collection[Diagnostic], rules: Collection[str]) -> Iterator[Example]:
    """What of a try's diff shows how a rule is satisfied: short hunks that touch findings of that rule alone.

    A diff of several files shows nothing: lines are told by their numbers.

    Args:
        trail: the try that made what landed; its diff begins at the base.
        findings: those of the file on the base.
        rules: those whose findings are all gone, as in "ruff F401".
    """
    if _CUT_MARK in trail.diff or len(_FILE.findall(trail.diff)) > 1:
        return
    shown: Counter[str] = Counter()
    for part in sorted(_parts(trail.diff), key=lambda one: len(one.text)):
        touched = by_rule(one for one in findings if part.first <= one.line <= part.last)
        if len(touched) != 1 or not _is_fit(part.text):
            continue
        [rule] = touched
        shown[rule] += 1
        if rule in rules and shown[rule] <= MOST_OF_A_RULE:
            checker, _, name = rule.partition(" ")
            yield Example(
                trail=f"{trail.id}-{shown[rule]}",
                checker=checker,
                rule=name,
                diff=redact(part.text),
                at_s=trail.started_s,
            )


def _parts(diff: str) -> Iterator[_Part]:
    hunks = list(_HUNK.finditer(diff))
    ends = [*(hunk.start() for hunk in hunks[1:]), len(diff)]
    for hunk, end in zip(hunks, ends, strict=True):
        lines = diff[hunk.end() + 1 : end].rstrip("\n").split("\n")
        changed = list(_changed(lines, int(hunk[1])))
        if changed:
            yield _Part(min(changed), max(changed), "\n".join(lines))


def _changed(lines: Collection[str], at: int) -> Iterator[int]:
    """Numbers of the base's lines that a hunk takes away, or puts something after."""
    for line in lines:
        if line.startswith("-"):
            yield at
        elif line.startswith("+"):
            yield max(at - 1, 1)
        if not line.startswith(("+", "\\")):
            at += 1


def _is_fit(text: str) -> bool:
    """Whether it is short, and text that everything can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return len(text) <= MOST_CHARS and text.count("\n") < MOST_LINES
