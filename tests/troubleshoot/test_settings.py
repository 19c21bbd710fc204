"""The configuration: one table in the project's files, checked as that of `fix` is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fanfold.config import ConfigError
from fanfold.config.keys import VARIABLE
from fanfold.errors import FanfoldError
from fanfold.troubleshoot.settings import ParallelConfig, load_config, sources_of

WORKLOAD = 'url = "https://master.example.com:31116"\nuser = "op"\npassword = { env = "TWS_PASSWORD" }\n'


@pytest.fixture(autouse=True)
def _hosts_are_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "*.example.com")


def own(root: Path, text: str) -> Path:
    (root / "fanfold.toml").write_text(text)
    return root


def test_defaults_hold_without_any_file(tmp_path: Path) -> None:
    assert load_config(tmp_path) == ParallelConfig()


def test_either_file_and_either_spelling_count(tmp_path: Path) -> None:
    own(tmp_path, "[troubleshoot]\nrag-result-limit = 9\n")
    assert load_config(tmp_path).rag_result_limit == 9
    (tmp_path / "fanfold.toml").unlink()
    (tmp_path / "pyproject.toml").write_text("[tool.fanfold.troubleshoot]\nrag_result_limit = 8\n")
    assert load_config(tmp_path).rag_result_limit == 8


def test_the_home_of_nobody_is_told(tmp_path: Path) -> None:
    own(tmp_path, '[troubleshoot]\naudit_file = "~nobody-here/x"\n')
    with pytest.raises(ConfigError, match="begins with a home that there is not"):
        load_config(tmp_path)


def test_call_beats_file_where_it_says_something(tmp_path: Path) -> None:
    own(tmp_path, "[troubleshoot]\ntotal_timeout_seconds = 30\nnode_timeout_seconds = 20\n")
    config = load_config(tmp_path, total_timeout_seconds=3.0, node_timeout_seconds=None)
    assert (config.total_timeout_seconds, config.node_timeout_seconds) == (3.0, 20.0)


def test_environment_beats_file_and_call_beats_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own(tmp_path, "[troubleshoot]\ntotal_timeout_seconds = 30\nrag_result_limit = 9\nenable_metrics = true\n")
    monkeypatch.setenv("FANFOLD_TROUBLESHOOT_TOTAL_TIMEOUT_SECONDS", "20")
    monkeypatch.setenv("FANFOLD_TROUBLESHOOT_ENABLE_METRICS", "false")
    monkeypatch.setenv("FANFOLD_TROUBLESHOOT_RAG_RESULT_LIMIT", " ")
    config = load_config(tmp_path)
    assert (config.total_timeout_seconds, config.enable_metrics, config.rag_result_limit) == (20.0, False, 9)
    assert load_config(tmp_path, total_timeout_seconds=3.0).total_timeout_seconds == 3.0


def test_tables_stand_in_the_environment_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FANFOLD_TROUBLESHOOT_LLM", '{"model": "openai:gpt-5", "api_key": {"env": "OPENAI_API_KEY"}}')
    monkeypatch.setenv("FANFOLD_TROUBLESHOOT_SOURCES", '{"log_cache": {"paths": ["logs"]}}')
    config = load_config(tmp_path)
    assert config.llm is not None
    assert (config.llm.model, str(config.llm.api_key)) == ("openai:gpt-5", "the variable OPENAI_API_KEY")
    assert list(sources_of(config, tmp_path)) == ["rag_search", "log_cache"]


def test_paths_in_the_environment_start_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("FANFOLD_TROUBLESHOOT_AUDIT_FILE", "actions.jsonl")
    monkeypatch.setenv("FANFOLD_TROUBLESHOOT_PROMPTS", "prompts")
    config = load_config(tmp_path)
    assert (config.audit_file, config.prompts) == (tmp_path / "here" / "actions.jsonl", tmp_path / "here" / "prompts")


@pytest.mark.parametrize(
    ("name", "value", "message", "hint"),
    [
        (
            "MIN_SOURCE_REQUIRED",
            "2",
            "Unknown key 'FANFOLD_TROUBLESHOOT_MIN_SOURCE_REQUIRED' in the env",
            "did you mean",
        ),
        ("RAG_RESULT_LIMIT", "many", "rag_result_limit: ", "the variable FANFOLD_TROUBLESHOOT_RAG_RESULT_LIMIT"),
        ("LLM", "openai:gpt-5", "FANFOLD_TROUBLESHOOT_LLM is no JSON", '{"model": '),
        ("LLM", '{"model": "m", "api_key": "sk-secret"}', "llm.api_key: a secret is not", "the variable FANFOLD_"),
    ],
)
def test_wrong_variable_is_named(
    name: str, value: str, message: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"FANFOLD_TROUBLESHOOT_{name}", value)
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path)
    assert message in caught.value.message
    assert "sk-secret" not in f"{caught.value.message}{caught.value.hint}"
    assert hint in (caught.value.hint or "")


def test_every_documented_field_is_there() -> None:
    documented: dict[str, object] = {
        "node_timeout_seconds": 5.0,
        "total_timeout_seconds": 10.0,
        "enable_tws_status": True,
        "enable_rag_search": True,
        "enable_log_cache": True,
        "enable_metrics": True,
        "rag_result_limit": 5,
        "min_sources_required": 1,
    }
    assert ParallelConfig.model_validate(documented).model_dump(include=set(documented)) == documented


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("min_source_required = 2", "Unknown key 'min_source_required'", "did you mean min_sources_required?"),
        ("rag_result_limit = 0", "rag_result_limit: input should be greater than", "correct it in fanfold.toml"),
        ("total_timeout_seconds = nan", "total_timeout_seconds: ", "correct it in fanfold.toml"),
        ('[troubleshoot.llm]\nmodel = "m"\napi_keys = "x"', "Unknown key 'api_keys'", None),
        ('[troubleshoot.llm]\nmodel = "m"\nbase_url = "foo"', "llm.base_url: must be a URL without a name", "correct"),
        ('[troubleshoot.llm]\nmodel = "m"\napi_key = "sk-secret"', "llm.api_key: a secret is not written", "correct"),
    ],
)
def test_wrong_setting_is_named(text: str, message: str, hint: str | None, tmp_path: Path) -> None:
    own(tmp_path, f"[troubleshoot]\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path)
    assert message in caught.value.message
    assert "sk-secret" not in caught.value.message
    assert (hint or "") in (caught.value.hint or "")


def test_paths_start_from_the_file(tmp_path: Path) -> None:
    own(tmp_path, '[troubleshoot]\naudit_file = "audit/actions.jsonl"\nprompts = "prompts"\n')
    config = load_config(tmp_path)
    assert config.audit_file == tmp_path / "audit" / "actions.jsonl"
    assert config.prompts == tmp_path / "prompts"


def test_sources_are_made_of_their_tables_in_the_documented_order(tmp_path: Path) -> None:
    own(
        tmp_path,
        '[troubleshoot.sources.log_cache]\npaths = ["logs"]\n'
        f"[troubleshoot.sources.tws_status]\n{WORKLOAD}"
        '[troubleshoot.sources.rag_search]\npaths = ["runbooks"]\n',
    )
    assert list(sources_of(load_config(tmp_path), tmp_path)) == ["tws_status", "rag_search", "log_cache"]


def test_starter_set_of_knowledge_needs_no_table(tmp_path: Path) -> None:
    assert list(sources_of(load_config(tmp_path), tmp_path)) == ["rag_search"]


def test_source_that_is_switched_off_is_not_made(tmp_path: Path) -> None:
    own(
        tmp_path,
        "[troubleshoot]\nenable_tws_status = false\nenable_rag_search = false\n"
        "[troubleshoot.sources.tws_status]\nnonsense = 1\n",
    )
    assert sources_of(load_config(tmp_path), tmp_path) == {}


def test_source_that_nobody_has_is_refused(tmp_path: Path) -> None:
    own(tmp_path, "[troubleshoot.sources.tea_leaves]\n")
    with pytest.raises(FanfoldError, match="no source 'tea_leaves'"):
        sources_of(load_config(tmp_path), tmp_path)


def test_same_kind_twice_has_two_names(tmp_path: Path) -> None:
    own(tmp_path, f'[troubleshoot.sources.tws_test]\ntype = "tws_status"\n{WORKLOAD}')
    sources = sources_of(load_config(tmp_path, enable_rag_search=False), tmp_path)
    assert [source.name for source in sources.values()] == ["tws_test"]


@pytest.mark.parametrize(
    ("settings", "own", "comes_to"),
    [
        ("", "", 5.0),
        ("node_timeout_seconds = 2", "", 2.0),
        ("node_timeout_seconds = 2", "timeout_s = 1", 1.0),
        ("node_timeout_seconds = 2", "timeout-s = 30", 2.0),
        ("node_timeout_seconds = 20\ntotal_timeout_seconds = 3", "timeout_s = 30", 3.0),
        ("node_timeout_seconds = 40\ntotal_timeout_seconds = 60", "timeout_s = 30", 30.0),
    ],
)
def test_source_knows_how_much_time_it_really_gets(settings: str, own: str, comes_to: float, tmp_path: Path) -> None:
    root = tmp_path
    (root / "fanfold.toml").write_text(
        f'[troubleshoot]\n{settings}\n[troubleshoot.sources.tws_test]\ntype = "tws_status"\n{WORKLOAD}{own}\n'
    )
    source = sources_of(load_config(root, enable_rag_search=False), root)["tws_test"]
    assert (source.name, source.timeout_s) == ("tws_test", comes_to)


DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "troubleshoot.md"
BLOCKS = re.findall(r"^```toml\n(.*?)^```", DOCUMENT.read_text(), flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_configuration_in_the_documentation_is_accepted(block: str, tmp_path: Path) -> None:
    config = load_config(own(tmp_path, block))
    named = set(config.sources)
    assert named <= set(sources_of(config, tmp_path))


def test_documentation_shows_every_source_that_is_built_in() -> None:
    kinds = {"tws_status", "rag_search", "log_cache", "metrics", "command", "mcp"}
    shown = {name for block in BLOCKS for name in re.findall(r"\[troubleshoot\.sources\.(\w+)|type = \"(\w+)\"", block)}
    assert kinds <= {name for pair in shown for name in pair}
