"""Settings of the scheduler's source: what is wrong is named, and no secret is repeated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fanfold.config.secret import Secret
from fanfold.troubleshoot.sources import SourceError
from fanfold.troubleshoot.sources.workload.settings import settings_of

GOOD: dict[str, Any] = {"url": "https://master:31116", "user": "twsuser", "password": {"env": "WA_PASSWORD"}}


def test_one_scheduler_stands_at_the_top() -> None:
    settings = settings_of({**GOOD, "ca-file": "certs/ca.pem", "timeout-s": 3}, Path("/etc/fanfold"))
    scheduler = settings.instances[""]
    assert scheduler.urls == ("https://master:31116",)
    assert scheduler.password == Secret.from_env("WA_PASSWORD")
    assert scheduler.ca_file == Path("/etc/fanfold/certs/ca.pem")
    assert (settings.name, settings.timeout_s) == ("tws_status", 3.0)


@pytest.mark.parametrize(
    "url", ["https://master:31116/twsd/api/v2", "https://master:31116/twsd", "https://master:31116/"]
)
def test_the_path_of_the_api_may_be_written_and_is_not_needed(url: str) -> None:
    assert settings_of({**GOOD, "url": url}, Path()).instances[""].urls == ("https://master:31116",)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"url": "master:31116"}, "must be an address such as"),
        ({"url": "http://master:31116"}, "must be https"),
        ({"url": "https://u:hunter2@master"}, "settings of their own"),
        ({"url": "https://master/other"}, "must end after the port"),
        ({"url": []}, "urls"),
        ({"password": "hunter2"}, r"not written into settings, but named: { env"),
        ({"password": {"env": "A", "hunter2": "b"}}, "named as"),
        ({"user": None}, "urls|user"),
        ({"token": {"env": "T"}}, "not both"),
        ({"verify": False}, "no setting verify"),
        ({"api": 3}, "api"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"instances": {"X": GOOD}}, "stands beside instances"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(SourceError, match=words) as caught:
        settings_of({**GOOD, **change}, Path())
    assert caught.value.hint
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"


def test_a_scheduler_is_needed() -> None:
    with pytest.raises(SourceError, match="needs urls"):
        settings_of({}, Path())
    with pytest.raises(SourceError, match=r"needs TWS-PROD\.urls"):
        settings_of({"instances": {"TWS-PROD": {"user": "x"}}}, Path())


def test_on_this_machine_no_certificate_is_needed() -> None:
    for url in ("http://127.0.0.1:31115", "http://localhost:31115", "http://[::1]:31115"):
        assert settings_of({**GOOD, "url": url}, Path()).instances[""].urls == (url,)
