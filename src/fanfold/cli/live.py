"""A display on the terminal that changes in place."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from fanfold.cli.output import tell

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

REFRESHES_PER_S = 8


class Display:
    """Shows lines on stderr that change in place, where that is a terminal that can move its cursor.

    A context manager, because the terminal has to get its cursor back.

    Args:
        lines: what to show now.
        quiet: show and say nothing.
    """

    def __init__(self, lines: Callable[[], Sequence[str]], *, quiet: bool = False) -> None:
        self._lines, self._quiet = lines, quiet
        self._live: Live | None = None

    @property
    def is_live(self) -> bool:
        """Whether lines are shown, so that not each event needs one of its own."""
        return self._live is not None

    def __enter__(self) -> Self:
        if not self._quiet:
            self._live = _started(self._render)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take the lines away; more than once is no error."""
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def say(self, text: str) -> None:
        """A line that stays."""
        if self._quiet:
            return
        if self._live is not None:
            self._live.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            tell(text)

    def _render(self) -> RenderableType:
        from rich.text import Text  # noqa: PLC0415  only terminals need it

        return Text("\n".join(self._lines()), overflow="ellipsis", no_wrap=True)


def _started(render: Callable[[], RenderableType]) -> Live | None:
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
