"""Counts and times of many results, without keeping the results."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from fanfold.engine.wrapper import text_of
from fanfold.nodes.result import NodeResult, Statistics


class Tally:
    """Sums over results as they come.

    Args:
        results: those that are there already.
        most_errors: how many errors are kept, as text, the latest ones; None = all.
    """

    def __init__(self, results: Iterable[NodeResult[Any]] = (), *, most_errors: int | None = None) -> None:
        self._nodes = self._failures = self._attempts = self._cached = 0
        self._sum_ms, self._min_ms, self._max_ms = 0.0, float("inf"), 0.0
        self._errors: deque[str] = deque(maxlen=most_errors)
        for result in results:
            self.add(result)

    def add(self, result: NodeResult[Any]) -> None:
        """Count one more result."""
        self._nodes += 1
        self._attempts += result.attempts
        self._cached += result.cached
        self._sum_ms += result.execution_time_ms
        self._min_ms = min(self._min_ms, result.execution_time_ms)
        self._max_ms = max(self._max_ms, result.execution_time_ms)
        if result.error is not None:
            self._failures += 1
            self._errors.append(text_of(result.error))

    def statistics(self) -> Statistics:
        """The sums so far; all of them 0 where nothing ran."""
        return {
            "total_nodes": self._nodes,
            "successes": self._nodes - self._failures,
            "failures": self._failures,
            "success_rate": (self._nodes - self._failures) / self._nodes if self._nodes else 0.0,
            "attempts": self._attempts,
            "cached": self._cached,
            "avg_time_ms": self._sum_ms / self._nodes if self._nodes else 0.0,
            "min_time_ms": self._min_ms if self._nodes else 0.0,
            "max_time_ms": self._max_ms,
            "total_time_ms": self._sum_ms,
            "errors": list(self._errors),
        }
