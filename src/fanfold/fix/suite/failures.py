"""Where tests failed, as a plugin within pytest saw it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fanfold.fix.written import opened

MAX_BYTES = 64 * 1024 * 1024
PLUGIN = "fanfold_failures"

Place = tuple[str, int]
"""A file, absolute, and a line in it."""


@dataclass(frozen=True)
class Failure:
    """One test that failed, or one file whose tests could not be collected.

    Args:
        case: pytest's own name of it.
        when: "setup", "call", "teardown" or "collect".
        type: the name of the exception's class, "" where there was none.
        message: its first line.
        place: of the test itself.
        frames: where the exception passed, innermost last.
        calls: what the test's code names up to where it failed, the nearest first.
    """

    case: str
    when: str
    type: str
    message: str
    place: Place
    frames: tuple[Place, ...] = ()
    calls: tuple[Place, ...] = ()


@dataclass
class Failures:
    """Sees where the tests of one run fail; what the run's own processes say is not to be trusted.

    Args:
        found: by the test's name and when it failed.
        version: of pytest, None = it did not say.
    """

    options: Sequence[str] = ("-p", PLUGIN)
    found: dict[tuple[str, str], Failure] = field(default_factory=dict)
    version: str | None = None

    def lay_out(self, report_dir: Path) -> None:
        """Nothing: the plugin is there already, with the guard."""

    async def read(self, report_dir: Path) -> None:
        """Take what the plugin wrote."""
        await asyncio.to_thread(self._read, report_dir / "failures")

    def _read(self, folder: Path) -> None:
        raised: dict[tuple[str, str], Failure] = {}
        for told in _lines(folder):
            if version := told.get("version"):
                self.version = str(version)
                continue
            try:
                failure = _failure(told)
            except (KeyError, IndexError, TypeError, ValueError, OverflowError):
                continue
            key = failure.case, failure.when
            if told.get("step") == "raised":
                raised.setdefault(key, failure)
            if told.get("step") == "failed" or failure.when == "collect":
                self.found.setdefault(key, failure)
        self.found |= {key: one for key, one in raised.items() if key in self.found}


def _lines(folder: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        try:
            with opened(file) as lines:
                content = lines.read(MAX_BYTES)
        except OSError:
            continue
        for line in content.splitlines():
            try:
                told = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(told, dict):
                yield told


def _failure(told: Mapping[str, Any]) -> Failure:
    return Failure(
        case=str(told["case"]),
        when=str(told["when"]),
        type=str(told["type"]),
        message=str(told["message"]),
        place=_place(told["place"]),
        frames=tuple(_place(one) for one in told["frames"]),
        calls=tuple(_place(one) for one in told["calls"]),
    )


def _place(told: Sequence[Any]) -> Place:
    return str(told[0]), max(int(told[1]), 0)
