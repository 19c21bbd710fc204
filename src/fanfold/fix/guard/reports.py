"""Read what the guarded processes of one run reported."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from fanfold.fix.written import opened

MAX_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class ProcessReport:
    """What one process said when it ended.

    Args:
        executable: its interpreter.
        workspace: how many of its modules came from the workspace.
        session: it ran a pytest session to its end.
        offences: modules and their files that came from the main checkout.
        unguarded: commands of Python children that ignore the environment (`python -I`), and so the guard.
    """

    executable: str
    workspace: int
    session: bool
    offences: tuple[tuple[str, str], ...] = ()
    unguarded: tuple[str, ...] = ()


@dataclass(frozen=True)
class GuardReport:
    """What all processes of one run said; those that were killed said nothing."""

    processes: tuple[ProcessReport, ...]

    @property
    def offences(self) -> tuple[tuple[str, str], ...]:
        """Each module that came from the main checkout, with its file, once."""
        found = {one for process in self.processes for one in process.offences}
        return tuple(sorted(found, key=lambda one: (one[0] == "__main__", one)))

    @property
    def unguarded(self) -> tuple[str, ...]:
        """Commands of children that the guard could not watch, each once."""
        return tuple(sorted({one for process in self.processes for one in process.unguarded}))

    @property
    def workspace(self) -> int:
        """How many modules were loaded from the workspace, all processes together."""
        return sum(process.workspace for process in self.processes)

    @property
    def sessions(self) -> int:
        """How many processes ran a pytest session to its end."""
        return sum(process.session for process in self.processes)


def read_reports(report_dir: Path) -> GuardReport:
    """The reports of the run that `report_dir` was laid out for."""
    files = sorted((report_dir / "reports").iterdir())
    return GuardReport(tuple(_parse(content) for file in files if (content := _content(file)) is not None))


def _content(file: Path) -> bytes | None:
    """None where the run put something else in its place."""
    try:
        with opened(file) as report:
            return report.read(MAX_BYTES)
    except OSError:
        return None


def _parse(content: bytes) -> ProcessReport:
    fields: dict[str, list[str]] = {}
    for field in content.split(b"\0"):
        key, _, value = os.fsdecode(field).partition("=")
        fields.setdefault(key, []).append(value)
    offences = (one.partition("\n") for one in fields.get("offence", ()))
    return ProcessReport(
        executable=fields.get("executable", [""])[0],
        workspace=int(count) if (count := fields.get("workspace", ["0"])[0]).isdecimal() and len(count) < 10 else 0,
        session=fields.get("session") == ["1"],
        offences=tuple((name, file) for name, _, file in offences),
        unguarded=tuple(fields.get("unguarded", ())),
    )
