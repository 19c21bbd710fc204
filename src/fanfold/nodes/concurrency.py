"""How many nodes may run together: worked out from what a model's provider allows (H16)."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from fanfold.errors import FanfoldError

SECONDS_PER_MINUTE = 60
_NUMBERS = {"requests_per_minute", "tokens_per_minute", "avg_tokens_per_request", "avg_latency_seconds", "gpu_count",
            "requests_per_gpu", "max_concurrent_requests"}  # fmt: skip


class ProviderLimitsError(FanfoldError, ValueError):
    """A provider isn't known, or its limits make no sense."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRateLimits:
    """What one provider allows one account, and what a request takes there; None = no such limit.

    Args:
        provider: its name.
        requests_per_minute: requests it accepts.
        tokens_per_minute: tokens, of prompts and answers together.
        avg_tokens_per_request: what a node's request takes, prompt and answer together.
        avg_latency_seconds: how long a request takes.
        gpu_count: GPUs that serve you.
        requests_per_gpu: requests that one GPU serves at once.
        max_concurrent_requests: requests that the provider serves you at once.
        as_of: when these numbers were looked up.
        note: where they are from.
    Raises:
        ProviderLimitsError: a number that isn't more than 0.
    """

    provider: str
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    avg_tokens_per_request: int = 2_000
    avg_latency_seconds: float = 2.0
    gpu_count: int | None = None
    requests_per_gpu: int = 1
    max_concurrent_requests: int | None = None
    as_of: str | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        for name in sorted(_NUMBERS):
            number = getattr(self, name)
            if number is not None and not (_is_number(number) and number > 0):
                raise ProviderLimitsError(
                    f"{name} of {self.provider} must be a number more than 0, not {number!r}",
                    hint="leave it out where there is no such limit",
                )


@dataclass(frozen=True, slots=True)
class ConcurrencyModel:
    """Numbers for an executor, worked out from a provider's limits.

    By Little's law the requests under way are the requests that start each second, times the seconds that each
    takes. The rate is bounded by requests and by tokens per minute, the number under way also by GPUs and by the
    provider itself.

    Args:
        provider_limits: what the provider allows.
        expected_concurrent_graphs: runs that share the account, >= 1.
        safety_margin: the share of the rates that is used, more than 0, at most 1.
    Raises:
        ProviderLimitsError: an argument out of its range.
    """

    provider_limits: ProviderRateLimits
    expected_concurrent_graphs: int = 1
    safety_margin: float = 0.8

    def __post_init__(self) -> None:
        if self.expected_concurrent_graphs < 1:
            raise ProviderLimitsError(
                f"expected_concurrent_graphs must be at least 1, not {self.expected_concurrent_graphs}"
            )
        if not 0 < self.safety_margin <= 1:
            raise ProviderLimitsError(f"safety_margin must be more than 0 and at most 1, not {self.safety_margin}")

    @property
    def max_throughput_requests_per_minute(self) -> float:
        """Requests that may start in a minute, over all graphs; infinite where no rate is limited."""
        limits = self.provider_limits
        by_requests = math.inf if limits.requests_per_minute is None else limits.requests_per_minute
        by_tokens = math.inf
        if limits.tokens_per_minute is not None:
            by_tokens = limits.tokens_per_minute / limits.avg_tokens_per_request
        return min(by_requests, by_tokens) * self.safety_margin

    @property
    def max_parallel_llm_calls(self) -> int:
        """Requests that may be under way together, over all graphs, >= 1.

        Raises:
            ProviderLimitsError: the provider has no limit at all.
        """
        limits = self.provider_limits
        bounds = [self.max_throughput_requests_per_minute / SECONDS_PER_MINUTE * limits.avg_latency_seconds]
        if limits.gpu_count is not None:
            bounds.append(limits.gpu_count * limits.requests_per_gpu)
        if limits.max_concurrent_requests is not None:
            bounds.append(limits.max_concurrent_requests)
        if math.isinf(bound := min(bounds)):
            raise ProviderLimitsError(
                f"{limits.provider} has no limit that a number of parallel calls could follow from",
                hint="give requests or tokens per minute, gpu_count or max_concurrent_requests",
            )
        return max(1, math.floor(bound + 1e-9))

    @property
    def max_concurrent(self) -> int:
        """The `max_concurrent` of one graph's `ParallelExecutor`: its share of the calls, >= 1."""
        return max(1, self.max_parallel_llm_calls // self.expected_concurrent_graphs)

    @property
    def max_parallel_nodes(self) -> int:
        """`max_concurrent` under H16's name: a node makes one call at a time."""
        return self.max_concurrent


def get_concurrency_model(
    provider: str,
    expected_concurrent_graphs: int = 1,
    safety_margin: float = 0.8,
    *,
    limits_file: Path | str | None = None,
    **overrides: Any,
) -> ConcurrencyModel:
    """The model for a provider, from the registry, the user's file and what is given here, the later over the earlier.

    Args:
        provider: its name in the registry or in the file.
        expected_concurrent_graphs: runs that share the account.
        safety_margin: the share of the rates that is used.
        limits_file: see `load_provider_limits`.
        overrides: fields of `ProviderRateLimits`, such as `gpu_count=2`.
    Raises:
        ProviderLimitsError: no such provider or field, or a value out of its range.
    """
    known = load_provider_limits(limits_file)
    limits = known.get(str(getattr(provider, "value", provider)).lower())
    if limits is None:
        raise ProviderLimitsError(
            f"no limits are known for the provider {provider!r}",
            hint=f"known are {', '.join(sorted(known))}; add it to a TOML file and give that as limits_file",
        )
    _refuse_unknown(limits.provider, overrides)
    return ConcurrencyModel(replace(limits, **overrides), expected_concurrent_graphs, safety_margin)


def load_provider_limits(limits_file: Path | str | None = None) -> dict[str, ProviderRateLimits]:
    """The registry: the examples that come with Fanfold, and over them the user's file.

    The file is TOML with one table for each provider, whose keys are the fields of `ProviderRateLimits`. A table
    for a provider of the registry changes the keys that it has; its `as_of` and `note` are not inherited.

    Raises:
        ProviderLimitsError: the file can't be read, isn't such TOML, or has an unknown key or a wrong value.
    """
    known = dict(_examples())
    for provider, values in ({} if limits_file is None else _tables(Path(limits_file))).items():
        _refuse_unknown(provider, values)
        name = provider.lower()
        before = known.get(name, ProviderRateLimits(provider=name))
        known[name] = replace(before, **({"as_of": None, "note": None} | dict(values)))
    return known


@cache
def _examples() -> Mapping[str, ProviderRateLimits]:
    text = resources.files("fanfold.nodes").joinpath("providers.toml").read_text("utf-8")
    return {name: ProviderRateLimits(provider=name, **values) for name, values in tomllib.loads(text).items()}


def _tables(path: Path) -> dict[str, Mapping[str, Any]]:
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeError, tomllib.TOMLDecodeError) as error:
        raise ProviderLimitsError(
            f"the providers' limits in {path} can't be read: {error}", hint="give a TOML file with a table a provider"
        ) from error
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise ProviderLimitsError(f"{path}: {name} is no table", hint=f"write [{name}] and its limits below it")
    return tables


def _refuse_unknown(provider: str, values: Mapping[str, object]) -> None:
    known = [field.name for field in fields(ProviderRateLimits) if field.name != "provider"]
    if unknown := [name for name in values if name not in known]:
        raise ProviderLimitsError(
            f"{provider} has an unknown limit, {unknown[0]}", hint=f"known are {', '.join(known)}"
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
