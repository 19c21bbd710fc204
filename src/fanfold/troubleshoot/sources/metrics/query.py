"""One query, as settings write it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """PromQL, and what is known of its values.

    Attributes:
        promql: may hold `{job}`, `{workstation}` and `{instance}` within quotes.
        unit: what the values count; "" = what the metric's name says.
        wrong_below: values below this one are wrong, however usual they are; by a part of the series' name, "" = all.
        wrong_above: values above it are.
        follows_time: the value changes with the clock by itself, so only its bounds count.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid"}

    promql: str
    unit: str = ""
    wrong_below: Mapping[str, float] = field(default_factory=dict)
    wrong_above: Mapping[str, float] = field(default_factory=dict)
    follows_time: bool = False

    def bounds(self, series: str) -> tuple[float | None, float | None]:
        """Below and above which values a series is wrong; None = nothing is."""
        return _bound(self.wrong_below, series), _bound(self.wrong_above, series)


def query_of(value: Any) -> Any:
    """A query written as its PromQL alone, or as a table whose bounds may be plain numbers."""
    if isinstance(value, str):
        return {"promql": value}
    if not isinstance(value, Mapping):
        return value
    bounds = ("wrong_below", "wrong_above")
    return {key: {"": one} if key in bounds and isinstance(one, int | float) else one for key, one in value.items()}


def _bound(bounds: Mapping[str, float], series: str) -> float | None:
    fitting = [part for part in bounds if part.casefold() in series.casefold()]
    return bounds[max(fitting, key=len)] if fitting else None
