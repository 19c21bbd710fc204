# ruff: noqa: PLC0415  a command imports what it needs when it runs: `--help` must start fast
"""`fanfold undo`, as it is typed."""

from __future__ import annotations

from typing import Annotated

import typer

from fanfold.cli.commands.option import general


def undo(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run, or how its name begins")],
    dry_run: Annotated[bool, general("--dry-run", help="Show what would be taken back, and end")] = False,
) -> int:
    """Delete a run's branches, and revert what it brought"""
    from fanfold.cli.undo import take_back

    return take_back(run, dry_run=dry_run)
