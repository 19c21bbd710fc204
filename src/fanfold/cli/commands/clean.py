# ruff: noqa: PLC0415  a command imports what it needs when it runs: `--help` must start fast
"""`fanfold clean`, as it is typed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fanfold.cli.commands.option import general


def clean(
    workspaces: Annotated[
        Path | None,
        general("--workspaces", help="Clean here (default user's cache)", metavar="DIRECTORY"),
    ] = None,
    older_than: Annotated[
        float,
        general("--older-than", help="Remove records of runs this old (default 30)", metavar="DAYS", min=0),
    ] = 30.0,
    force: Annotated[bool, general("--force", help="Remove records of runs that could be resumed, too")] = False,
) -> int:
    """Remove working copies that no run uses, and old records"""
    from fanfold.cli.clean import remove_leftovers

    return remove_leftovers(workspaces, older_than_days=older_than, force=force)
