"""A display on the terminal that changes in place."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

REFRESHES_PER_S = 8


def started_live(render: Callable[[], Text]) -> Live | None:
    """A live display where stderr is a terminal that can move its cursor; None elsewhere."""
    if not sys.stderr.isatty():
        return None
    from rich.console import Console  # noqa: PLC0415  only terminals need it
    from rich.live import Live  # noqa: PLC0415

    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    if not console.is_terminal or console.is_dumb_terminal:
        return None
    live = Live(
        get_renderable=render,
        console=console,
        refresh_per_second=REFRESHES_PER_S,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    live.start()
    return live
