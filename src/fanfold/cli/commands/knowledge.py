# ruff: noqa: PLC0415  a command imports what it needs when it runs: `--help` must start fast
"""`fanfold knowledge` and its command, as they are typed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fanfold.cli.commands.option import general
from fanfold.cli.help import GroupedCommand

knowledge = typer.Typer(help="Runbooks and past incidents")


@knowledge.callback()
def _knowledge() -> None:
    """Runbooks and past incidents"""


@knowledge.command(cls=GroupedCommand)
def index(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="PATHS", help="Files and folders (default the configured ones)")
    ] = None,
    index_file: Annotated[
        Path | None, general("--index", help="Write this index (default as configured)", metavar="FILE")
    ] = None,
) -> int:
    """Bring runbooks and past incidents into the index"""
    from fanfold.cli.knowledge import index as carry_out

    return carry_out(paths or [], index_file)
