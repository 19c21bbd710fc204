"""Globs as `.gitignore` writes them."""

from __future__ import annotations

from collections.abc import Iterable

from pathspec import GitIgnoreSpec

from fanfold.fix.errors import FixError


class Globs:
    """A list of patterns in gitignore's syntax; the last one that matches a path decides.

    Raises:
        FixError: a pattern can't be read.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = tuple(patterns)
        try:
            self._spec = GitIgnoreSpec.from_lines(self._patterns)
        except ValueError as error:
            raise FixError(f"a glob can't be read: {error}", hint="write it as in .gitignore") from error

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def match(self, path: str) -> bool:
        """Whether `path`, relative to the root, or a folder above it is meant."""
        # A pattern can't hold a newline, and its wildcards would stop at one.
        return self._spec.match_file(path.replace("\n", "\x01"))
