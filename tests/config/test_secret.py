"""Secrets that settings name."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from fanfold.config import ConfigError
from fanfold.config.secret import Secret

VALUE = "hunter2-of-the-night"


class Settings(BaseModel):
    """Settings with a secret."""

    password: Secret


def test_a_variable_is_read_when_the_secret_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = Settings.model_validate({"password": {"env": "WA_PASSWORD"}}).password
    monkeypatch.setenv("WA_PASSWORD", VALUE)
    assert secret.reveal() == VALUE
    monkeypatch.setenv("WA_PASSWORD", "rotated")
    assert secret.reveal() == "rotated"


def test_a_relative_file_starts_from_the_folder_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(VALUE + "\n")
    settings = Settings.model_validate({"password": {"file": "password"}}, context={"root": tmp_path})
    assert settings.password.reveal() == VALUE


@pytest.mark.parametrize(
    "wrong", [VALUE, {"env": ""}, {"value": VALUE}, {"env": "A", "file": "b"}, {"file": ["b"]}, 5, {}]
)
def test_what_names_no_place_is_refused_and_not_repeated(wrong: object) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"password": wrong})
    assert "{ env = " in caught.value.errors(include_url=False, include_input=False)[0]["msg"]
    assert VALUE not in caught.value.errors(include_url=False, include_input=False)[0]["msg"]


def test_nothing_that_is_written_down_shows_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WA_PASSWORD", VALUE)
    settings = Settings.model_validate({"password": {"env": "WA_PASSWORD"}})
    shown = f"{settings!r} {settings} {settings.model_dump_json()} {pickle.dumps(settings.password)!r}"
    assert VALUE not in shown
    assert json.loads(settings.model_dump_json()) == {"password": {"env": "WA_PASSWORD"}}


def test_a_place_without_a_secret_is_an_error_that_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WA_PASSWORD", raising=False)
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "latin").write_bytes(b"\xe7")
    (tmp_path / "big").write_bytes(b"x" * 100_000)
    places = [
        Secret.from_env("WA_PASSWORD"),
        *(Secret.from_file(tmp_path / name) for name in ("empty", "latin", "big")),
    ]
    for secret in [*places, Secret.from_file(tmp_path / "none")]:
        with pytest.raises(ConfigError) as caught:
            secret.reveal()
        assert secret.place in caught.value.message
        assert caught.value.hint
