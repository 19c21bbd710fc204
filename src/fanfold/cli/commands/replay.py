# ruff: noqa: PLC0415  a command imports what it needs when it runs: `--help` must start fast
"""`fanfold replay`, as it is typed."""

from __future__ import annotations

from typing import Annotated

import typer

from fanfold.cli.commands.option import TestModes, Verbose, general, output


def replay(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run, or how its name begins")],
    tests: Annotated[
        TestModes | None, general("--tests", help="Test what lands like this (default as it did then)")
    ] = None,
    as_json: Annotated[bool, output("--json", help="Write report and differences as JSON")] = False,
    quiet: Annotated[bool, output("--quiet", "-q", help="Show no progress, and only summary and differences")] = False,
    verbose: Verbose = False,
) -> int:
    """Verify and land a run's recorded answers again"""
    from fanfold.cli.replay import Options, carry_out

    tested = "each" if tests == "full" else tests
    return carry_out(Options(run=run, tests=tested, as_json=as_json, quiet=quiet, verbose=verbose))
