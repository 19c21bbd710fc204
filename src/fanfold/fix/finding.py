"""One diagnostic of one checker, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, order=True)
class Finding:
    """A diagnostic at a place in the repository.

    `path` is relative to the repository root with `/` separators, whatever the tool printed. Lines and columns
    are 1-based; `line` is 0 where a finding belongs to the file as a whole. `end_line` and `end_column` are None
    where the tool doesn't say. `fixable` is what the tool itself offers.
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
