# ruff: noqa: PLC0415  a command imports what it needs when it runs: `--help` must start fast
"""`fanfold stats`, as it is typed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fanfold.cli.commands.option import Verbose, general, output


def stats(
    project: Annotated[
        bool, general("--project", help="Use this project's figures only (default all projects')")
    ] = False,
    export_to: Annotated[
        Path | None, general("--export", help="Write the figures here, - for stdout", metavar="FILE")
    ] = None,
    import_from: Annotated[
        Path | None, general("--import", help="Add figures that --export wrote, - for stdin", metavar="FILE")
    ] = None,
    reset: Annotated[bool, general("--reset", help="Forget the figures")] = False,
    as_json: Annotated[bool, output("--json", help="Write the figures as JSON")] = False,
    verbose: Verbose = False,
) -> int:
    """Show which agent fixed which rule, and what it cost"""
    from fanfold.cli.stats import Options, carry_out

    return carry_out(
        Options(
            project=project,
            export_to=export_to,
            import_from=import_from,
            reset=reset,
            as_json=as_json,
            verbose=verbose,
        )
    )
