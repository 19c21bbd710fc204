# ruff: noqa: PLC0415  a command imports what it needs when it runs: `--help` must start fast
"""`fanfold incident` and its commands, as they are typed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fanfold.cli.commands.option import format_of, general, output
from fanfold.cli.help import GroupedCommand

incident = typer.Typer(help="Answer from saved evidence, or act on a job")


@incident.command(cls=GroupedCommand)
def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Evidence that --save or another program wrote")],
    as_json: Annotated[bool, output("--json", help="Write the answer as JSON")] = False,
    as_markdown: Annotated[bool, output("--markdown", help="Write the answer as Markdown")] = False,
) -> int:
    """Answer from saved evidence; asks no system"""
    from fanfold.cli.incident import replay as answered

    return answered(file, format_of(as_json, as_markdown))


@incident.command(cls=GroupedCommand)
def act(
    action: Annotated[
        str, typer.Argument(metavar="ACTION", help="rerun, hold, release, confirm-succ, confirm-abend, cancel or kill")
    ],
    job: Annotated[str, typer.Argument(metavar="JOB", help="NAME, STREAM.NAME, or an id")],
    justification: Annotated[
        str, general("--justification", help="Say why; the scheduler's audit trail has it", metavar="TEXT")
    ],
    category: Annotated[
        str, general("--category", help="Say of which kind that is (default none)", metavar="TEXT")
    ] = "",
    ticket: Annotated[str, general("--ticket", help="Name the ticket for it (default none)", metavar="NUMBER")] = "",
    instance: Annotated[
        str | None, general("--instance", help="In this scheduler (default the only one)", metavar="NAME")
    ] = None,
    dry_run: Annotated[bool, general("--dry-run", help="Show what would be sent, and end")] = False,
    yes: Annotated[bool, general("--yes", help="Do it without asking")] = False,
    as_json: Annotated[bool, output("--json", help="Write it as JSON")] = False,
) -> int:
    """Do one thing to one job, after you confirmed it"""
    from fanfold.cli.incident import ActOptions
    from fanfold.cli.incident import act as carry_out

    return carry_out(
        ActOptions(
            action=action,
            job=job,
            justification=justification,
            category=category,
            ticket=ticket,
            instance=instance,
            yes=yes,
            dry_run=dry_run,
            as_json=as_json,
        )
    )
