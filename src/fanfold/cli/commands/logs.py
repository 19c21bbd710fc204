# ruff: noqa: PLC0415  a command imports what it needs when it runs: `--help` must start fast
"""`fanfold logs` and its command, as they are typed."""

from __future__ import annotations

from typing import Annotated

import typer

from fanfold.cli.commands.option import general
from fanfold.cli.help import GroupedCommand

logs = typer.Typer(help="The cache of recent log lines")


@logs.callback()
def _logs() -> None:
    """The cache of recent log lines"""


@logs.command(cls=GroupedCommand)
def ingest(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATHS", help="Files, folders, patterns, or - (default the configured ones)"),
    ] = None,
    redis: Annotated[
        str | None, general("--redis", help="Fill this one (default as configured)", metavar="URL")
    ] = None,
    host: Annotated[str, general("--host", help="Lines are of this host, unless they say", metavar="NAME")] = "",
    job: Annotated[str, general("--job", help="Lines are of this job, unless they say", metavar="NAME")] = "",
    timezone: Annotated[
        str | None, general("--timezone", help="Times are of this zone, unless they say", metavar="ZONE")
    ] = None,
    ttl: Annotated[
        int | None, general("--ttl", help="Keep lines this long (default 604800)", metavar="SECONDS")
    ] = None,
    most: Annotated[
        int | None,
        general("--most", help="Keep N lines of a job, and of all (default 100000)", metavar="N"),
    ] = None,
    day_first: Annotated[
        bool | None,
        general("--day-first/--month-first", help="Read 03/04 as the third of April, or the fourth of March"),
    ] = None,
    prefix: Annotated[
        str | None, general("--prefix", help="Begin keys with this (default as configured)", metavar="NAME")
    ] = None,
    every: Annotated[
        bool, general("--every", help="Keep all lines, not only errors and what happened to jobs")
    ] = False,
) -> int:
    """Put what is new in log files into the cache"""
    from fanfold.cli.logs import IngestOptions
    from fanfold.cli.logs import ingest as carry_out

    return carry_out(
        IngestOptions(
            paths=paths or (),
            redis=redis,
            host=host,
            job=job,
            timezone=timezone,
            ttl_s=ttl,
            most=most,
            day_first=day_first,
            prefix=prefix,
            every=every,
        )
    )
