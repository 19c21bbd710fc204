"""`fanfold stats`: which agent fixed which rule for good, and at what cost; to see, to pass on, to forget."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fanfold.cli.deliver import OutputError, show
from fanfold.cli.output import Quoted, emit
from fanfold.cli.render.data import plain
from fanfold.cli.render.sections import Lines, Section, Table
from fanfold.cli.runs import settings_here
from fanfold.cli.words import dollars, plural, seconds
from fanfold.errors import FanfoldError
from fanfold.fix.learning.errors import LearningError
from fanfold.fix.learning.exchange import exported, imported, text_of
from fanfold.fix.learning.figures import Progress, Total
from fanfold.fix.learning.names import place_of
from fanfold.fix.learning.session import store_at
from fanfold.fix.learning.store import Store
from fanfold.git import Repository

SCHEMA_VERSION = 1
MOST_ROWS = 30
MOST_DAYS = 14
"""Of one agent in the plot; the last ones."""
BAR = 24
"""How many characters a full bar has."""
EIGHTHS = " ▏▎▍▌▋▊▉"
STANDARD = Path("-")


class StatsError(FanfoldError):
    """What was asked of the figures can't be done."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user said.

    Args:
        project: only the figures of the project that the user stands in.
        export_to, import_from: files, "-" = standard output and input.
        reset: forget them.
        verbose: leave nothing out of long lists.
    """

    project: bool = False
    as_json: bool = False
    export_to: Path | None = None
    import_from: Path | None = None
    reset: bool = False
    verbose: bool = False


def carry_out(options: Options) -> int:
    """Show what was learned, or export, import or forget it; 0.

    Raises:
        FanfoldError: the figures can't be read, or a file can't; two things were asked for at once.
    """
    _refuse_contradictions(options)
    store = store_at(settings_here().state)
    place = asyncio.run(_place()) if options.project else None
    if options.import_from is not None:
        _import(store, options.import_from)
    elif options.export_to is not None:
        _export(store, place, options.export_to)
    elif options.reset:
        count = store.forget(place)
        show((Lines("", ((f"Forgot {plural(count, 'try', 'tries')}",),)),))
    elif options.as_json:
        emit(json.dumps(_data(store, place), indent=2) + "\n")
    else:
        show(tuple(_sections(store, place, None if options.verbose else MOST_ROWS)))
    return 0


async def _place() -> str:
    return place_of(await Repository.open(Path.cwd()))


def _refuse_contradictions(options: Options) -> None:
    said = {
        "--json": options.as_json,
        "--export": options.export_to is not None,
        "--import": options.import_from is not None,
        "--reset": options.reset,
    }
    asked = [name for name, given in said.items() if given]
    if len(asked) > 1:
        raise StatsError(f"{' and '.join(asked)} contradict each other", hint="give one of them")
    if options.project and options.import_from is not None:
        raise StatsError(
            "what is imported counts as other projects' figures, whatever project you stand in",
            hint="leave out --project",
        )


def _export(store: Store, place: str | None, file: Path) -> None:
    text = "".join(f"{line}\n" for line in exported(store.lessons(place)))
    if file == STANDARD:
        emit(text)
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{file} can't be written: {error.strerror}", hint="choose another path") from error


def _import(store: Store, file: Path) -> None:
    try:
        with contextlib.nullcontext(sys.stdin.buffer) if file == STANDARD else file.open("rb") as opened:
            text = text_of(opened)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it isn't text"
        raise LearningError(f"{file} can't be read: {why}", hint="check the path") from error
    lessons = imported(text.splitlines())
    added = store.take_in(lessons)
    known = len(lessons) - added
    show((Lines("", ((f"Took in {plural(added, 'figure')}, {known} were known already",),)),))


def _data(store: Store, place: str | None) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "scope": "all projects" if place is None else "this project",
        "agents": [plain(_told(total)) for total in store.agents(place)],
        "rules": [plain(_told(total)) for total in store.totals(place)],
        "progress": [plain(asdict(day)) for day in store.progress(place)],
    }


def _told(total: Total) -> dict[str, Any]:
    told = {name: value for name, value in asdict(total).items() if value != ""}
    return {**told, "rate": total.rate, "usd_per_fix": total.usd_per_fix}


def _sections(store: Store, place: str | None, limit: int | None) -> Iterator[Section]:
    agents = store.agents(place)
    if not agents:
        where = "" if place is None else " in this project"
        yield Lines("", ((f"Nothing was learned{where} yet: `fanfold fix` does so by itself",),))
        return
    where = "all projects" if place is None else "this project"
    yield Lines("", ((f"What agents fixed for good, verified and landed, in {where}",),))
    yield _agents(agents)
    yield _rules(store.totals(place), limit)
    yield _plot(store.progress(place))


def _agents(totals: Sequence[Total]) -> Table:
    rows = tuple((Quoted(total.agent), *_figures(total), _tokens(total), seconds(total.agent_s)) for total in totals)
    return Table("Agents", ("agent", *_COLUMNS, "tokens", "time"), rows, 1)


def _rules(totals: Sequence[Total], limit: int | None) -> Table:
    """Those that there was most to do about first."""
    ordered = sorted(totals, key=lambda total: (-total.findings, total.checker, total.rule, total.agent))
    shown = ordered if limit is None else ordered[:limit]
    rows = tuple((Quoted(f"{total.checker} {total.rule}"), Quoted(total.agent), *_figures(total)) for total in shown)
    return Table("Rules", ("rule", "agent", *_COLUMNS), rows, 2, len(ordered) - len(shown))


_COLUMNS = ("findings", "fixed", "rate", "tries", "cost", "per fix")


def _figures(total: Total) -> tuple[str, ...]:
    """The cells of `_COLUMNS`."""
    unknown = "?" if total.cost_usd is None else "-"
    return (
        str(total.findings),
        str(total.fixed),
        "-" if total.rate is None else f"{total.rate:.0%}",
        str(total.tries),
        "?" if total.cost_usd is None else dollars(total.cost_usd),
        unknown if total.usd_per_fix is None else dollars(total.usd_per_fix),
    )


def _tokens(total: Total) -> str:
    return "?" if total.tokens is None else f"{total.tokens:,.0f}"


def _plot(progress: Iterable[Progress]) -> Table:
    """One bar for each agent and day on which it was asked for something."""
    by_agent: dict[str, list[Progress]] = {}
    for day in progress:
        if day.findings:
            by_agent.setdefault(day.agent, []).append(day)
    rows = tuple(
        (Quoted(day.agent), day.day, bar(day.fixed / day.findings), f"{day.fixed} of {day.findings}")
        for days in by_agent.values()
        for day in days[-MOST_DAYS:]
    )
    return Table("Share of findings fixed, by day", ("agent", "day (UTC)", "share", "fixed"), rows, 3)


def bar(share: float) -> str:
    """A share between 0 and 1 as a bar; of signs that the output has."""
    eighths = round(min(max(share, 0.0), 1.0) * BAR * 8)
    try:
        EIGHTHS.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return "#" * round(eighths / 8)
    return ("█" * (eighths // 8) + EIGHTHS[eighths % 8]).rstrip()
