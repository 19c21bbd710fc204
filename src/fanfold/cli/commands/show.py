# ruff: noqa: PLC0415  a command imports what it needs when it runs: `--help` must start fast
"""`fanfold show`, as it is typed."""

from __future__ import annotations

from typing import Annotated

import typer

from fanfold.cli.commands.option import output


def show(
    run: Annotated[
        str | None, typer.Argument(metavar="RUN", help="The run, or how its name begins (default last)")
    ] = None,
    file: Annotated[str | None, typer.Argument(metavar="FILE", help="Only this file, with all that was said")] = None,
    as_json: Annotated[bool, output("--json", help="Write all that is kept as JSON")] = False,
) -> int:
    """Show what a run came to, or what was done for one file"""
    from fanfold.cli.show import show_run

    return show_run(run, file, as_json=as_json)
