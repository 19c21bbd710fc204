"""Two plots as SVG, made by hand: CPU by peer, and the cost of isolation by size of the state."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from xml.sax.saxutils import escape

from engine_peers.case import Case
from engine_peers.plan import GRID, PEERS
from engine_peers.results import Results
from engine_peers.tables import SIZES

WIDTH, LEFT, RIGHT, ROW = 760, 230, 70, 22
OURS, THEIRS, LINE, TEXT = "#0b6e4f", "#8d99ae", "#d8dce3", "#222831"
COLOURS = (OURS, "#5c677d", "#c1666b", "#d4a017", "#7d5ba6")


def bars(results: Results, n: int) -> str:
    """CPU µs a branch of every peer, one yield, limit 64, on a logarithmic scale."""
    found = []
    for peer in GRID:
        case = Case("grid", "yield", n, None if peer == "gather" else 64)
        cpu_us = results.cpu_us(peer, case)
        if cpu_us is not None:
            found.append((PEERS[peer].label.replace("*", "").replace("`", ""), cpu_us))
    title = f"CPU µs a branch, {n:,} branches that yield once, limit 64 (log scale)"
    return bar_chart(title, found, lambda label: label == "Fanfold")


def bar_chart(title: str, figures: Sequence[tuple[str, float]], is_ours: Callable[[str], bool]) -> str:
    """A bar for each label, the shortest first, on a logarithmic scale; empty where there are no figures."""
    found = sorted(figures, key=lambda bar: bar[1])
    if not found:
        return ""
    scale = _Log(min(value for _, value in found) / 2, max(value for _, value in found), LEFT, WIDTH - RIGHT)
    height = 50 + ROW * len(found)
    parts = [_text(10, 22, title, bold=True)]
    parts += [_vertical(scale.at(tick), 34, height - 8) for tick in scale.ticks()]
    for row, (label, value) in enumerate(found):
        top, colour = 40 + ROW * row, OURS if is_ours(label) else THEIRS
        parts.append(_text(LEFT - 8, top + 13, label, anchor="end", bold=is_ours(label)))
        wide = scale.at(value) - LEFT
        parts.append(f'<rect x="{LEFT}" y="{top}" width="{wide:.1f}" height="{ROW - 6}" fill="{colour}"/>')
        parts.append(_text(LEFT + wide + 6, top + 13, _short(value)))
    return _svg(height, parts)


def lines(results: Results) -> str:
    """CPU µs a branch by size of the shared state, both logarithmic."""
    series = [
        (label, points)
        for label, peer, variant in (
            ("Fanfold, freezing included", "fanfold", "dict"),
            ("shared, no isolation", "semaphore", ""),
            ("pickle.loads", "pickle", ""),
            ("copy.deepcopy", "deepcopy", ""),
            ("model_copy(deep=True)", "model-copy", ""),
        )
        if (points := _points(results, peer, variant))
    ]
    if not series:
        return ""
    every = [point for _, points in series for point in points]
    height, bottom = 380, 330
    across = _Log(min(x for x, _ in every), max(x for x, _ in every), 70, WIDTH - 180)
    up = _Log(min(y for _, y in every) / 2, max(y for _, y in every), bottom, 50)
    parts = [_text(10, 22, "CPU µs a branch that reads one record of the shared state (log scales)", bold=True)]
    for tick in up.ticks():
        parts.append(
            f'<line x1="70" y1="{up.at(tick):.1f}" x2="{WIDTH - 180}" y2="{up.at(tick):.1f}" stroke="{LINE}"/>'
        )
        parts.append(_text(62, up.at(tick) + 4, _short(tick), anchor="end"))
    sizes = sorted({x for x, _ in every})
    parts += [_text(across.at(size), bottom + 20, SIZES[int(size)], anchor="middle") for size in sizes]
    for (label, points), colour in zip(series, COLOURS, strict=False):
        path = " ".join(f"{across.at(x):.1f},{up.at(y):.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
        parts += [f'<circle cx="{across.at(x):.1f}" cy="{up.at(y):.1f}" r="3.5" fill="{colour}"/>' for x, y in points]
        parts.append(_text(across.at(points[-1][0]) + 10, up.at(points[-1][1]) + 4, label, colour=colour))
    return _svg(height, parts)


def _points(results: Results, peer: str, variant: str) -> list[tuple[float, float]]:
    found = []
    for case in results.cases("state"):
        if (case.work, case.variant) == ("read one", variant):
            cpu_us = results.cpu_us(peer, case)
            if cpu_us is not None:
                found.append((float(case.state_bytes), cpu_us))
    return sorted(found)


class _Log:
    """Maps values to positions, each factor of ten as long as another."""

    def __init__(self, least: float, most: float, start: float, end: float) -> None:
        self._low, self._high = math.log10(least), math.log10(most * 1.05)
        self._start, self._end = start, end

    def at(self, value: float) -> float:
        """The position of a value."""
        share = (math.log10(value) - self._low) / (self._high - self._low)
        return self._start + share * (self._end - self._start)

    def ticks(self) -> list[float]:
        """Powers of ten within."""
        return [10.0**power for power in range(math.ceil(self._low), math.floor(self._high) + 1)]


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _text(x: float, y: float, text: str, *, anchor: str = "start", colour: str = TEXT, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"{weight}>{escape(text)}</text>'


def _vertical(x: float, top: float, bottom: float) -> str:
    return f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}" stroke="{LINE}"/>'


def _svg(height: int, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="system-ui, sans-serif" font-size="13">'
    )
    return "\n".join([head, f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>', *parts, "</svg>", ""])
