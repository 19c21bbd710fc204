# ruff: noqa: PLC0415  a command imports what it needs when it runs: `--help` must start fast
"""`fanfold troubleshoot`, as it is typed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from fanfold.cli.commands.option import format_of, output, under

about, asking = under("What it is about"), under("How it is asked")

LocalRuntimes: TypeAlias = Literal["auto", "native", "langgraph"]


def troubleshoot(
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="What went wrong, in English or Portuguese")] = "",
    job: Annotated[
        list[str] | None,
        about("--job", help="This job; repeatable (default those in MESSAGE)", metavar="NAME"),
    ] = None,
    instance: Annotated[
        str | None, about("--instance", help="In this scheduler (default the one in MESSAGE)", metavar="NAME")
    ] = None,
    at: Annotated[
        str | None, about("--at", help="It happened then, as 2024-12-11T03:12 or 03:12", metavar="TIME")
    ] = None,
    demo: Annotated[bool, about("--demo", help="Ask systems that are started here for this")] = False,
    timeout: Annotated[
        float | None,
        asking("--timeout", help="Answer after this many seconds (default 10)", metavar="SECONDS"),
    ] = None,
    runtime: Annotated[
        LocalRuntimes, asking("--runtime", help="Run on this (default auto: langgraph if there)")
    ] = "auto",
    compare_sequential: Annotated[
        bool, asking("--compare-sequential", help="Ask one after another, too, and compare")
    ] = False,
    as_json: Annotated[bool, output("--json", help="Write all that is known as JSON")] = False,
    as_markdown: Annotated[bool, output("--markdown", help="Write the answer as Markdown")] = False,
    save: Annotated[
        Path | None, output("--save", help="Save the evidence here, to be replayed", metavar="FILE")
    ] = None,
    quiet: Annotated[bool, output("--quiet", "-q", help="Show no progress and no figures")] = False,
) -> int:
    """Find out why a job failed, from all sources at once"""
    from fanfold.cli.troubleshoot import Options, carry_out

    return carry_out(
        Options(
            message=message,
            jobs=tuple(job or ()),
            instance=instance,
            at=at,
            runtime=runtime,
            output_format=format_of(as_json, as_markdown),
            save=save,
            compare_sequential=compare_sequential,
            timeout_s=timeout,
            demo=demo,
            quiet=quiet,
        )
    )
