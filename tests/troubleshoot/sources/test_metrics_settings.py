"""Settings of the metrics source, and names filled into queries: what is wrong is named, nothing is injected."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.testing.metrics import Series
from fanfold.testing.metrics.promql import PromqlError, parse
from fanfold.troubleshoot.sources import SourceError
from fanfold.troubleshoot.sources.metrics.defaults import DEFAULTS, GROUPS
from fanfold.troubleshoot.sources.metrics.promql import TemplateError, filled, placeholders_of
from fanfold.troubleshoot.sources.metrics.settings import settings_of

GOOD: dict[str, Any] = {"url": "https://prometheus:9090"}
SINCE = datetime(2024, 12, 11, 9, 0, tzinfo=UTC)


def test_a_url_is_enough_and_may_have_a_path() -> None:
    settings = settings_of({"url": "https://example.com/prometheus/"}, Path())
    assert (settings.url, settings.name, settings.defaults) == ("https://example.com/prometheus", "metrics", GROUPS)


def test_queries_are_texts_or_tables_and_replace_ready_made_ones() -> None:
    queries = {"up": "up == 0", "mine": {"promql": "pool_used", "unit": "", "wrong-above": 0.9}}
    with pytest.raises(SourceError, match="wrong-above"):
        settings_of({**GOOD, "queries": queries}, Path())
    queries["mine"] = {"promql": "pool_used", "wrong_above": 0.9}
    asked = settings_of({**GOOD, "queries": queries, "defaults": ["machine"]}, Path()).asked
    assert list(asked)[:2] == ["up", "mine"]
    assert asked["up"].promql == "up == 0"
    assert asked["mine"].bounds("any") == (None, 0.9)
    assert set(asked) == {"mine", *DEFAULTS["machine"]}


def test_ready_made_queries_can_be_switched_off() -> None:
    assert settings_of({**GOOD, "defaults": False}, Path()).asked == {}
    assert len(settings_of({**GOOD, "defaults": True}, Path()).asked) == sum(map(len, DEFAULTS.values()))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"url": "prometheus:9090"}, "must be an address such as"),
        ({"url": "https://u:hunter2@prometheus"}, "settings of their own"),
        ({"url": "https://prometheus/?token=hunter2"}, "nothing may follow"),
        ({"url": "http://prometheus:9090", "token": {"env": "T"}}, "must be https"),
        ({"user": "ops"}, "belong together"),
        ({"user": "ops", "password": "hunter2"}, "not written into settings, but named: { env"),
        ({"user": "ops", "password": {"env": "P"}, "token": {"env": "T"}}, "not both"),
        ({"verify": False}, "no setting verify"),
        ({"defaults": ["kitchen"]}, "defaults"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"limit": 0}, "limit"),
        ({"queries": {"q": "x{a={job}}"}}, "q: {job} must stand within double or single quotes"),
        ({"queries": {"q": 7}}, r"queries\.q"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(SourceError, match=words) as caught:
        settings_of({**GOOD, **change}, Path())
    assert caught.value.hint
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"


def test_a_url_is_needed() -> None:
    with pytest.raises(SourceError, match="needs url"):
        settings_of({}, Path())


def test_without_a_secret_plain_http_is_fine() -> None:
    assert settings_of({"url": "http://prometheus:9090"}, Path()).url == "http://prometheus:9090"


@pytest.mark.parametrize(
    ("template", "value", "query"),
    [
        ('x{a="{job}"}', "J1", 'x{a="J1"}'),
        ('x{a="{job}"}', 'a"} or y{b="', 'x{a="a\\"} or y{b=\\""}'),
        ("x{a='{job}'}", 'it\'s "so"', "x{a='it\\'s \"so\"'}"),
        ('x{a="{job}"}', "back\\", 'x{a="back\\\\"}'),
        ('x{a=~"{job}.*"}', "a.b|c", 'x{a=~"a\\\\.b\\\\|c.*"}'),
        ('x{a !~ "{job}", b="{job}"}', "a+", 'x{a !~ "a\\\\+", b="a+"}'),
        ('x{uri="/{id}/{job}"}', "{job}", 'x{uri="/{id}/{job}"}'),
        ('x{a="\\"{job}"}', "J", 'x{a="\\"J"}'),
        ('x # {not a "{job}\n', "J", 'x # {not a "{job}\n'),
    ],
)
def test_a_value_stays_within_its_quotes(template: str, value: str, query: str) -> None:
    assert filled(template, {"job": value}) == query


@pytest.mark.parametrize("template", ["x{{job}}", "x{a=`{job}`}", "{job}", 'x{a="b"} + {instance}', 'x{a="{job}}'])
def test_a_placeholder_where_nothing_can_be_escaped_is_refused(template: str) -> None:
    with pytest.raises(TemplateError) as caught:
        placeholders_of(template)
    assert caught.value.hint


@given(st.text(max_size=30), st.sampled_from("\"'"), st.sampled_from(["=", "=~"]))
def test_whatever_a_job_is_called_only_its_own_series_is_selected(job: str, quote: str, sign: str) -> None:
    shown = "".join(letter for letter in job if letter.isprintable() or letter in "\n\r\t")
    labels = [shown, "OTHER", f"{shown}2", ""]
    series = [
        Series(name="rows", usual=1, value=1, since=SINCE, labels={"job_name": label}) for label in labels if label
    ]
    query = filled(f"rows{{job_name{sign}{quote}{{job}}{quote}}}", {"job": job})
    found = parse(query, series)(SINCE.timestamp())
    assert not isinstance(found, float)
    selected = {dict(key)["job_name"] for key in found}
    assert selected == ({shown} if shown else set())


@pytest.mark.parametrize("name", [name for group in DEFAULTS.values() for name in group])
def test_every_ready_made_query_is_one(name: str) -> None:
    [query] = [group[name] for group in DEFAULTS.values() if name in group]
    assert placeholders_of(query.promql) == ()
    parse(query.promql, [])(0.0)
    for pattern in re.findall(r'=~"([^"]*)"', query.promql):
        re.compile(pattern)


@pytest.mark.parametrize(
    "query", ["", "x{", 'x{a="\\q"}', "sum(", "x)", "rate(x)", "rate(x[5y])", 'x{a~"b"}', "f(x)", "sum(1)"]
)
def test_the_fake_refuses_what_is_no_query(query: str) -> None:
    with pytest.raises(PromqlError):
        parse(query, [])(0.0)
