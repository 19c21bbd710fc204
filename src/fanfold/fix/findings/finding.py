"""One diagnostic of one checker, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """A diagnostic at a place in the repository.

    `path` is relative to the repository root with `/` separators, whatever the tool printed. Lines and columns
    are 1-based; `line` is 0 where a finding belongs to the file as a whole. `end_line` and `end_column` are None
    where the tool doesn't say. `fixable` is what the tool itself offers. `related` is another file of the repository
    that the tool points at, `case` the test whose failure it is: that one is the same wherever it fails. Findings sort
    by path and place.
    """

    path: str
    line: int
    column: int
    checker: str
    rule: str
    message: str
    severity: Severity = "error"
    end_line: int | None = None
    end_column: int | None = None
    url: str | None = None
    fixable: Literal["safe", "unsafe"] | None = None
    fingerprint: str = ""
    related: str | None = None
    case: str = ""

    @property
    def place(self) -> tuple[str, int, int, str, str, str]:
        """Path, line, column, then checker, rule and message: an order for findings."""
        return self.path, self.line, self.column, self.checker, self.rule, self.message

    def __lt__(self, other: Finding) -> bool:
        return (self.place, self._extent) < (other.place, other._extent)

    @property
    def _extent(self) -> tuple[int, int, str, str, str]:
        line, column = (-1 if end is None else end for end in (self.end_line, self.end_column))
        return line, column, self.fixable or "", self.fingerprint, self.case
