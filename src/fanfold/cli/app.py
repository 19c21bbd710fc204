# ruff: noqa: PLC0415  what only `--version` needs is imported there: `--help` must start fast
"""The program `fanfold`: its commands, in the order in which its help has them."""

from __future__ import annotations

from typing import Annotated

import typer

from fanfold.cli.commands.clean import clean
from fanfold.cli.commands.doctor import doctor
from fanfold.cli.commands.fix import fix
from fanfold.cli.commands.incident import incident
from fanfold.cli.commands.knowledge import knowledge
from fanfold.cli.commands.logs import logs
from fanfold.cli.commands.replay import replay
from fanfold.cli.commands.runs import runs
from fanfold.cli.commands.show import show
from fanfold.cli.commands.stats import stats
from fanfold.cli.commands.troubleshoot import troubleshoot
from fanfold.cli.commands.undo import undo
from fanfold.cli.help import GroupedCommand
from fanfold.cli.optional import FixCommand

app = typer.Typer(
    help="Run many agents over one repository, land what is verified",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from fanfold import __version__

        typer.echo(f"fanfold {__version__}")
        raise typer.Exit


@app.callback()
def _fanfold(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    del version


app.command(cls=FixCommand)(fix)
for command in (doctor, runs, show, stats, replay, undo, clean, troubleshoot):
    app.command(cls=GroupedCommand)(command)
for group, name in ((incident, "incident"), (knowledge, "knowledge"), (logs, "logs")):
    app.add_typer(group, name=name)
