from __future__ import annotations

import math
from pathlib import Path

import pytest

from fanfold.nodes.concurrency import (
    ConcurrencyModel,
    ProviderLimitsError,
    ProviderRateLimits,
    get_concurrency_model,
    load_provider_limits,
)


def limits(**values: object) -> ProviderRateLimits:
    return ProviderRateLimits(provider="p", **values)  # type: ignore[arg-type]


def calls(given: ProviderRateLimits, margin: float = 1.0) -> int:
    return ConcurrencyModel(given, safety_margin=margin).max_parallel_llm_calls


def test_calls_under_way_are_the_rate_times_the_latency() -> None:
    assert calls(limits(requests_per_minute=600, avg_latency_seconds=2.0)) == 20
    assert calls(limits(requests_per_minute=600, avg_latency_seconds=2.0), margin=0.5) == 10


def test_tokens_bound_the_rate_where_they_are_scarcer() -> None:
    given = limits(
        requests_per_minute=600, tokens_per_minute=30_000, avg_tokens_per_request=1_000, avg_latency_seconds=4
    )
    assert calls(given) == 2
    assert ConcurrencyModel(given, safety_margin=0.8).max_throughput_requests_per_minute == pytest.approx(24)


def test_gpus_and_the_providers_own_bound_count() -> None:
    assert calls(limits(gpu_count=3, requests_per_gpu=4)) == 12
    assert calls(limits(gpu_count=3, requests_per_gpu=4, max_concurrent_requests=5)) == 5
    assert calls(limits(gpu_count=8, requests_per_minute=60, avg_latency_seconds=2)) == 2


def test_the_safety_margin_takes_no_gpu_away() -> None:
    assert calls(limits(gpu_count=4), margin=0.5) == 4


def test_there_is_always_room_for_one() -> None:
    model = ConcurrencyModel(limits(requests_per_minute=1, avg_latency_seconds=0.1), expected_concurrent_graphs=9)
    assert model.max_parallel_llm_calls == model.max_concurrent == model.max_parallel_nodes == 1


def test_graphs_share_the_calls() -> None:
    model = ConcurrencyModel(limits(max_concurrent_requests=10), expected_concurrent_graphs=3)
    assert (model.max_parallel_llm_calls, model.max_concurrent) == (10, 3)


def test_a_provider_without_any_limit_is_refused() -> None:
    model = ConcurrencyModel(limits())
    assert math.isinf(model.max_throughput_requests_per_minute)
    with pytest.raises(ProviderLimitsError, match="p has no limit"):
        _ = model.max_concurrent


@pytest.mark.parametrize("bad", [0, -1, math.nan, math.inf, True, "many"])
def test_limits_are_numbers_more_than_0(bad: object) -> None:
    with pytest.raises(ProviderLimitsError, match="requests_per_minute of p"):
        limits(requests_per_minute=bad)


def test_margin_and_graphs_have_ranges() -> None:
    with pytest.raises(ProviderLimitsError, match="expected_concurrent_graphs"):
        ConcurrencyModel(limits(), expected_concurrent_graphs=0)
    for margin in (0.0, 1.1):
        with pytest.raises(ProviderLimitsError, match="safety_margin"):
            ConcurrencyModel(limits(), safety_margin=margin)


def test_every_example_is_dated_and_gives_a_number() -> None:
    known = load_provider_limits()
    assert {"openai", "anthropic", "modal"} <= known.keys()
    for provider, given in known.items():
        assert given.provider == provider
        assert given.as_of
        assert given.note
        assert get_concurrency_model(provider).max_concurrent >= 1


def test_a_users_file_changes_what_it_names_and_adds_providers(tmp_path: Path) -> None:
    file = tmp_path / "limits.toml"
    file.write_text(
        '[OpenAI]\nrequests_per_minute = 6000\ntokens_per_minute = 9000000\n[local]\ngpu_count = 2\nas_of = "today"\n'
    )
    known = load_provider_limits(file)
    assert known["openai"].requests_per_minute == 6000
    assert known["openai"].avg_latency_seconds == load_provider_limits()["openai"].avg_latency_seconds
    assert known["openai"].as_of is None
    assert known["local"].as_of == "today"
    assert get_concurrency_model("local", limits_file=str(file)).max_concurrent == 2
    assert get_concurrency_model("local", limits_file=file, gpu_count=5).max_concurrent == 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[x", "can't be read"),
        ("x = 1", "x is no table"),
        ("[x]\nrequests_per_second = 3", "unknown limit, requests_per_second"),
        ("[x]\ngpu_count = 0", "gpu_count of x"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "limits.toml"
    file.write_text(text)
    with pytest.raises(ProviderLimitsError, match=said):
        load_provider_limits(file)


def test_an_unknown_provider_or_field_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProviderLimitsError, match="'nobody'") as caught:
        get_concurrency_model("nobody")
    assert "anthropic, modal, openai" in str(caught.value.hint)
    with pytest.raises(ProviderLimitsError, match="unknown limit, gpus"):
        get_concurrency_model("modal", gpus=3)
    with pytest.raises(ProviderLimitsError, match="can't be read"):
        load_provider_limits(tmp_path / "missing.toml")
