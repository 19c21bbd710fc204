# ruff: noqa: PLC0415  a command imports what it needs when it runs: `--help` must start fast
"""`fanfold runs`, as it is typed."""

from __future__ import annotations

from typing import Annotated

from fanfold.cli.commands.option import output


def runs(as_json: Annotated[bool, output("--json", help="Write the list as JSON")] = False) -> int:
    """List the runs of this repository, the oldest first"""
    from fanfold.cli.runs import list_runs

    return list_runs(as_json=as_json)
