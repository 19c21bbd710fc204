"""What a reader is told of what a run took, in tokens and money."""

from __future__ import annotations

from fanfold.cli.words import dollars, plural
from fanfold.fix.reporting.report import Report, StageLine
from fanfold.llm.usage import Usage


def bill(line: StageLine) -> tuple[str, str]:
    """Tokens and cost of an agent, as far as they are known."""
    if not line.attempts:
        return "", ""
    if line.usage is None:
        return "?", "?"
    more = "+" if line.unmeasured else ""
    unknown = line.usage.cost_usd is None and took(line.usage)
    cost = "?" if unknown else dollars(line.usage.cost_usd or 0.0) + more
    return f"{_tokens(line.usage):,}{more}", cost


def spent(report: Report) -> tuple[tuple[str, ...], ...]:
    """What all agents took, where any of them asked for something; of a run that was stopped, that it isn't known."""
    usage, unmeasured = report.usage, sum(line.unmeasured for line in report.stages)
    if usage is None or not took(usage):
        unknown = report.is_unfinished and unmeasured
        return ((f"Nobody knows what {plural(unmeasured, 'attempt')} took",),) if unknown else ()
    start = "Spent at least" if unmeasured else "Spent"
    known_usd = sum(line.usage.cost_usd or 0.0 for line in report.stages if line.usage is not None)
    part = f"at least {dollars(known_usd)} and " if known_usd and not unmeasured else ""
    cost = part if usage.cost_usd is None else f"{dollars(usage.cost_usd)} and "
    return ((f"{start} {cost}{_tokens(usage):,} tokens in {plural(usage.requests, 'request')}",),)


def budget(report: Report) -> tuple[tuple[str, ...], ...]:
    """What was taken of each limit that was set."""
    line = report.budget
    if line is None:
        return ()
    least = "" if line.known else "at least "
    lines: list[tuple[str, ...]] = []
    if line.max_cost_usd is not None:
        lines.append((f"money: {least}{dollars(line.cost_usd)} of {dollars(line.max_cost_usd)}",))
    if line.max_tokens is not None:
        lines.append((f"tokens: {line.tokens:,} of {line.max_tokens:,}",))
    if line.max_minutes is not None:
        lines.append((f"minutes: {line.minutes:.{1 if line.minutes >= 1 else 2}f} of {line.max_minutes:g}",))
    each = (
        *([dollars(line.task_max_cost_usd)] if line.task_max_cost_usd is not None else []),
        *([f"{line.task_max_tokens:,} tokens"] if line.task_max_tokens is not None else []),
        *([f"{line.task_max_minutes:g} minutes"] if line.task_max_minutes is not None else []),
    )
    return (*lines, (f"for each file: {', '.join(each)}",)) if each else tuple(lines)


def took(usage: Usage) -> bool:
    """Whether anything was asked of anybody."""
    return bool(usage.requests or _tokens(usage) or usage.cost_usd)


def _tokens(usage: Usage) -> int:
    return usage.input_tokens + usage.output_tokens
