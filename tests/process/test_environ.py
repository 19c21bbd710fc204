from __future__ import annotations

import os

import pytest

from fanfold.process import allowed_environment


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", "/bin")
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    monkeypatch.setenv("API_KEY", "secret")
    monkeypatch.setenv("GIT_DIR", "/elsewhere")


def test_only_allowed_names_pass() -> None:
    assert allowed_environment() == {"PATH": "/bin", "LC_ALL": "C", "XDG_CACHE_HOME": "/cache"}


def test_names_asked_for_pass_where_they_are_set() -> None:
    passed = allowed_environment(["API_KEY", "NOT_SET"])
    assert passed["API_KEY"] == "secret"
    assert "NOT_SET" not in passed


def test_overrides_win() -> None:
    assert allowed_environment(overrides={"PATH": "/mine", "NEW": "1"}) == {
        "PATH": "/mine",
        "LC_ALL": "C",
        "XDG_CACHE_HOME": "/cache",
        "NEW": "1",
    }


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY"])
def test_proxy_passes_unless_its_address_holds_a_password(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "http://proxy:8080")
    assert allowed_environment()[name] == "http://proxy:8080"
    monkeypatch.setenv(name, "http://me:secret@proxy:8080")
    assert name not in allowed_environment()
    assert name in allowed_environment([name])
