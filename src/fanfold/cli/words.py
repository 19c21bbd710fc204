"""Numbers as a reader says them, the same in all that the command line tells."""

from __future__ import annotations

SECONDS_AS_SUCH = 120


def plural(count: int, noun: str, many: str | None = None) -> str:
    """A number with its noun: "1 file", "2 files"; `many` where that isn't formed with an "s"."""
    return f"{count} {noun}" if count == 1 else f"{count} {many or noun + 's'}"


def dollars(value: float) -> str:
    """An amount as a reader says it: "12.50 USD", "0.0031 USD"."""
    return f"{value:.2f} USD" if value >= 1 or not value else f"{value:.4f} USD"


def seconds(value: float) -> str:
    """A time as a reader says it: "0.4 s", "75 s", "12 min 5 s"."""
    if value >= SECONDS_AS_SUCH:
        return f"{value // 60:.0f} min {value % 60:.0f} s"
    return f"{value:.1f} s" if value < 60 else f"{value:.0f} s"
