"""A repository's file sends none of the user's keys to a server of its choice."""

from __future__ import annotations

from pathlib import Path

import pytest

from fanfold.config import ConfigError, load_settings
from fanfold.config.keys import VARIABLE


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


def project(root: Path, url: str, key: str = 'api_key = { env = "AWS_SECRET_ACCESS_KEY" }', more: str = "") -> Path:
    table = f'[fix]\nagent = "cheap"\n{more}\n[fix.agents.cheap]\nuse = "llm"\nmodel = "m"\nbase_url = "{url}"\n{key}\n'
    (root / "fanfold.toml").write_text(table)
    return root


@pytest.mark.parametrize(
    "url",
    [
        "https://llm.example.com/v1",
        "https://api.openai.com.example.com/v1",
        "https://example.com/api.openai.com",
        "https://api.openai.com:x@example.com/v1",
        "https://[broken/v1",
        "//example.com/v1",
        "https://127.0.0.1.example.com/",
    ],
)
def test_a_key_is_not_sent_where_only_the_repository_says(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match=r"agent 'cheap' of fanfold.toml would send a secret of yours") as raised:
        load_settings(project(tmp_path, url), {})
    assert f"export {VARIABLE}=" in (raised.value.hint or "")


@pytest.mark.parametrize("spelled", ["base-url", "api-key"])
def test_however_it_is_spelled(tmp_path: Path, spelled: str) -> None:
    file = project(tmp_path, "https://llm.example.com/v1") / "fanfold.toml"
    file.write_text(file.read_text().replace(spelled.replace("-", "_"), spelled))
    with pytest.raises(ConfigError, match="cheap"):
        load_settings(tmp_path, {})


@pytest.mark.parametrize("url", ["http://127.0.0.1:11434/v1", "http://localhost/v1", "https://openrouter.ai/api/v1"])
def test_this_machine_and_public_services_get_it(tmp_path: Path, url: str) -> None:
    assert load_settings(project(tmp_path, url), {}).agents["cheap"]["base_url"] == url


def test_a_server_without_a_key_may_be_any(tmp_path: Path) -> None:
    load_settings(project(tmp_path, "https://llm.example.com/v1", key=""), {})


def test_an_agent_that_is_not_used_sends_nothing(tmp_path: Path) -> None:
    root = project(tmp_path, "https://llm.example.com/v1")
    load_settings(root, {"agent": ("autofix",)})
    with pytest.raises(ConfigError, match="would send a secret"):
        load_settings(root, {"agent": ("autofix", "cheap:other-model")})


def test_the_user_may_say_that_it_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = project(tmp_path, "https://LLM.example.com:8443/v1")
    monkeypatch.setenv(VARIABLE, "other.example.com, llm.example.com")
    load_settings(root, {})


def test_what_the_user_says_needs_no_word_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = '{"cheap": {"use": "llm", "model": "m", "base_url": "https://x.example.com", "api_key": {"env": "K"}}}'
    monkeypatch.setenv("FANFOLD_FIX_AGENTS", table)
    load_settings(project(tmp_path, "https://llm.example.com/v1"), {})


@pytest.mark.parametrize(("said", "may"), [("*.example.com", True), ("*.com", True), ("*.example.org, x.com", False)])
def test_the_user_may_name_all_hosts_below_one(
    tmp_path: Path, said: str, may: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, said)
    root = project(tmp_path, "https://llm.example.com/v1")
    if may:
        load_settings(root, {})
        return
    with pytest.raises(ConfigError, match="would send a secret"):
        load_settings(root, {})
