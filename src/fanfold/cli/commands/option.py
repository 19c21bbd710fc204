"""How options are declared, and what several commands share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal, TypeAlias

import typer

TestModes: TypeAlias = Literal["batch", "each", "final", "none", "full"]


def _option(group: str, *names: str, help: str, metavar: str | None = None, **more: Any) -> Any:  # noqa: A002
    return typer.Option(*names, help=help, metavar=metavar, rich_help_panel=group, show_default=False, **more)


def under(heading: str) -> Callable[..., Any]:
    """What declares the options that the help lists under a heading."""
    return partial(_option, heading)


general = under("Options")
output = under("Output")

Verbose: TypeAlias = Annotated[bool, output("--verbose", "-v", help="Show long lists to their end")]


def format_of(as_json: bool, as_markdown: bool) -> str:
    """The format of an answer.

    Raises:
        typer.BadParameter: two were asked for.
    """
    if as_json and as_markdown:
        raise typer.BadParameter("--json and --markdown contradict each other")
    return "json" if as_json else "markdown" if as_markdown else "text"
