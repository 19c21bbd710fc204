"""Advice of a project that nobody will read: its file is called like no rule, or its folder like no checker."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from pathlib import Path

from fanfold.config import shown
from fanfold.prompts.advice import FOLDER, file_of

SUFFIX = ".md"
MAX_FILES = 2_000
MAX_TOLD = 5
_SPELLING = re.compile(r"[-_. ]")
_LIKE_DIGITS = str.maketrans("ol", "01")


def misnamed(root: Path, rules: Mapping[str, Collection[str]], *, complete: Collection[str] = ()) -> tuple[str, ...]:
    """A line for each file of advice that is never read, with the name that may have been meant.

    Args:
        root: the project's checkout.
        rules: all checkers that there are, each with rules that it is known to have.
        complete: checkers that have no other rules than these.
    Returns:
        So many lines at most, the last of which then says how many more there are.
    """
    if (root / FOLDER).is_dir() and (root / FOLDER).resolve() != root.resolve() / FOLDER:
        return (f"advice in {shown(FOLDER)} is not read: it is a link, or in one",)  # what is there is no repository's
    told = [
        f"advice in {shown(f'{FOLDER}/{inner}')} is not read: {why}"
        for inner in islice(_files(root / FOLDER), MAX_FILES)
        if (why := _why(root, inner, rules, complete))
    ]
    more = len(told) - MAX_TOLD
    return (*told[:MAX_TOLD], f"{more} more files of advice are not read") if more > 0 else tuple(told)


def _files(folder: Path) -> Iterator[str]:
    """Files below a folder, relative to it; links aren't followed, but are there."""
    for place, folders, files in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]  # noqa: PTH114, PTH118 names
        folders.sort()
        for name in sorted([*files, *links]):
            if not name.startswith("."):
                yield os.path.relpath(os.path.join(place, name), folder)  # noqa: PTH118 names


def _why(root: Path, inner: str, rules: Mapping[str, Collection[str]], complete: Collection[str]) -> str:
    checker, _, name = inner.partition("/")
    if not name:
        return f"it belongs into a folder that is called like a checker, as in {FOLDER}/ruff/F401.md"
    if checker not in rules:
        return f"there is no checker {shown(checker)}{_meant(checker, rules)}"
    if not name.endswith(SUFFIX):
        return f"its name doesn't end in {SUFFIX}"
    rule = name.removesuffix(SUFFIX)
    if file_of(root, checker, rule) is None:
        return "it is a link, or no file that can be read"
    if rule in rules[checker]:
        return ""
    alike = [one for one in rules[checker] if _spelled(one) == _spelled(rule)]
    if not alike and checker not in complete:
        return ""
    return f"{checker} has no rule {shown(rule)}{_meant(rule, alike or rules[checker])}"


def _spelled(rule: str) -> str:
    return _SPELLING.sub("", rule).casefold().translate(_LIKE_DIGITS)


def _meant(name: str, names: Collection[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {near[0]}?" if near else ""
