"""What a display on the terminal is made of, and the words in it; nothing that any command's own work needs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

REFRESHES_PER_S = 8
SECONDS_AS_SUCH = 120


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


def plural(count: int, noun: str) -> str:
    """A number with its noun: "1 file", "2 files"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def seconds(value: float) -> str:
    """A time as a reader says it: "0.4 s", "75 s", "12 min 5 s"."""
    if value >= SECONDS_AS_SUCH:
        return f"{value // 60:.0f} min {value % 60:.0f} s"
    return f"{value:.1f} s" if value < 60 else f"{value:.0f} s"
