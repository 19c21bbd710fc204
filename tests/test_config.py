from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from fanfold.config import ConfigError, FixSettings, find_table, load_settings, settings_with_origins


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in [name for name in os.environ if name.startswith("FANFOLD_FIX_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def own(root: Path, text: str) -> None:
    (root / "fanfold.toml").write_text(text)


def shared(root: Path, text: str) -> None:
    (root / "pyproject.toml").write_text(text)


def refusal(root: Path, **overrides: object) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_settings(root, overrides)
    return caught.value


def test_defaults_hold_without_any_file(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {})
    assert (settings.jobs, settings.agent, settings.tests, settings.max_files) == (4, ("autofix",), "batch", None)
    assert settings.workspaces.is_absolute()
    assert settings.workspaces.name == "fanfold"


def test_command_line_beats_environment_beats_file_beats_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own(tmp_path, "[fix]\njobs = 5\nmax_attempts = 6\ndeadline_s = 7\n")
    monkeypatch.setenv("FANFOLD_FIX_JOBS", "8")
    monkeypatch.setenv("FANFOLD_FIX_MAX_ATTEMPTS", "9")
    settings, origins = settings_with_origins(tmp_path, {"jobs": 10, "agent": None})
    assert (settings.jobs, settings.max_attempts, settings.deadline_s, settings.agent) == (10, 9, 7.0, ("autofix",))
    assert (origins["jobs"], origins["max_attempts"], origins["deadline_s"], origins["agent"]) == (
        "command line",
        "environment (FANFOLD_FIX_MAX_ATTEMPTS)",
        "fanfold.toml",
        "default",
    )


def test_every_setting_has_an_origin(tmp_path: Path) -> None:
    _, origins = settings_with_origins(tmp_path, {})
    assert set(origins) == set(FixSettings.model_fields)


@pytest.mark.parametrize("key", ["max_files", "max-files"])
def test_pyproject_is_read_with_either_spelling_of_a_key(tmp_path: Path, key: str) -> None:
    shared(tmp_path, f"[tool.fanfold.fix]\n{key} = 3\n")
    settings, origins = settings_with_origins(tmp_path, {})
    assert (settings.max_files, origins["max_files"]) == (3, "pyproject.toml")


def test_both_spellings_of_a_key_at_once_are_refused(tmp_path: Path) -> None:
    own(tmp_path, "[fix]\nmax_files = 1\nmax-files = 2\n")
    assert "stands twice in fanfold.toml" in refusal(tmp_path).message


def test_pyproject_of_other_tools_is_no_configuration(tmp_path: Path) -> None:
    shared(tmp_path, "[project]\nname = 'x'\n[tool.ruff]\nline-length = 100\n")
    assert load_settings(tmp_path, {}).jobs == 4


def test_settings_in_both_files_are_refused(tmp_path: Path) -> None:
    own(tmp_path, "[fix]\n")
    shared(tmp_path, "[tool.fanfold.fix]\njobs = 2\n")
    error = refusal(tmp_path)
    assert "both fanfold.toml and pyproject.toml" in error.message
    assert error.hint is not None


def test_own_file_and_a_pyproject_without_settings_go_together(tmp_path: Path) -> None:
    own(tmp_path, "[fix]\njobs = 2\n")
    shared(tmp_path, "[tool.ruff]\n")
    assert load_settings(tmp_path, {}).jobs == 2


def test_misspelt_key_names_file_and_nearest_name(tmp_path: Path) -> None:
    shared(tmp_path, "[tool.fanfold.fix]\nmax_file = 3\n")
    error = refusal(tmp_path)
    assert "'max_file' in pyproject.toml under [tool.fanfold.fix]" in error.message
    assert error.hint == "did you mean max_files?"


def test_key_near_to_nothing_lists_the_known_ones(tmp_path: Path) -> None:
    own(tmp_path, "[fix]\nzzz = 3\n")
    assert "jobs" in (refusal(tmp_path).hint or "")


@pytest.mark.parametrize("text", ["[fixx]\njobs = 3\n", "jobs = 3\n"])
def test_unknown_table_in_own_file_is_refused(tmp_path: Path, text: str) -> None:
    own(tmp_path, text)
    assert "fanfold.toml" in refusal(tmp_path).message


def test_misspelt_environment_variable_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FANFOLD_FIX_JOB", "3")
    error = refusal(tmp_path)
    assert "'FANFOLD_FIX_JOB' in the environment" in error.message
    assert error.hint == "did you mean FANFOLD_FIX_JOBS?"


def test_empty_environment_variable_counts_as_unset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FANFOLD_FIX_JOBS", "")
    settings, origins = settings_with_origins(tmp_path, {})
    assert (settings.jobs, origins["jobs"]) == (4, "default")


@pytest.mark.parametrize("content", [b"[fix\n", b'[fix]\nagent = "\xff"\n', b"fix = 3\n"])
def test_broken_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "fanfold.toml").write_bytes(content)
    error = refusal(tmp_path)
    assert "fanfold.toml" in error.message
    assert error.hint


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "fanfold.toml").mkdir()
    assert "fanfold.toml can't be read" in refusal(tmp_path).message


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('jobs = "four"', "jobs is 'four', but must be a whole number of at least 1"),
        ("jobs = 0", "jobs is 0, but must be a whole number of at least 1"),
        ("jobs = true", "jobs is True, but must be a whole number of at least 1"),
        ("max_files = -1", "max_files is -1, but must be a whole number of at least 1"),
        ("deadline_s = inf", "deadline_s is inf, but must be a number of seconds above 0"),
        ("deadline_s = nan", "but must be a number of seconds above 0"),
        ('tests = "some"', 'tests is \'some\', but must be "batch", "each", "final" or "none"'),
        ("select = 3", "select is 3, but must be a list of strings"),
        ("select = [3]", "select is [3], but must be a list of strings"),
        ('select = ["F", ""]', "but must be a list of strings that aren't empty"),
        ('agent = ""', "agent is '', but must be a name, or a list of names"),
        ('agent_command = "claude \\"-p"', "but must be a command line"),
        ('annotate = "perhaps"', "annotate is 'perhaps', but must be true or false"),
        ("workspaces = 3", "workspaces is 3, but must be a path of a directory"),
        ("test_command = 3", "test_command is 3, but must be a string"),
    ],
)
def test_wrong_value_is_told_in_human_words(tmp_path: Path, line: str, words: str) -> None:
    own(tmp_path, f"[fix]\n{line}\n")
    error = refusal(tmp_path)
    assert words in error.message
    assert error.hint == "correct it in fanfold.toml"


def test_wrong_value_names_where_it_came_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FANFOLD_FIX_DEADLINE_S", "soon")
    assert refusal(tmp_path).hint == "correct it in the variable FANFOLD_FIX_DEADLINE_S"
    assert refusal(tmp_path, deadline_s=-1.0).hint == "correct it in the option --deadline"
    assert refusal(tmp_path, max_cost_usd=0.0).hint == "correct it in the option --max-cost"
    assert refusal(tmp_path, task_max_cost_usd=0.0).hint == "correct it in the option --max-cost-per-task"
    assert refusal(tmp_path, task_max_tokens=0).hint == "correct it in the option --max-tokens-per-task"


def test_long_wrong_value_is_shortened(tmp_path: Path) -> None:
    assert len(refusal(tmp_path, jobs="x" * 10_000).message) < 200


def test_setting_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    assert "Unknown setting 'colour'" in refusal(tmp_path, colour="red").message


def test_full_is_another_name_of_each(tmp_path: Path) -> None:
    assert load_settings(tmp_path, {"tests": "full"}).tests == "each"


@pytest.mark.parametrize("value", ["F, E4,", '["F", "E4"]'])
def test_list_in_the_environment_is_comma_separated_or_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("FANFOLD_FIX_SELECT", value)
    assert load_settings(tmp_path, {}).select == ("F", "E4")


def test_broken_json_list_is_a_wrong_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FANFOLD_FIX_SELECT", '["F"')
    assert "must be a list of strings" in refusal(tmp_path).message


def test_checker_command_keeps_its_commas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FANFOLD_FIX_CHECKS", "mine=lint --rules a,b")
    assert load_settings(tmp_path, {}).checks == ("mine=lint --rules a,b",)
    monkeypatch.setenv("FANFOLD_FIX_CHECKS", "ruff,mypy")
    assert load_settings(tmp_path, {}).checks == ("ruff", "mypy")


def test_agent_command_is_split_like_a_shell_does_and_chooses_the_agent(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {"agent_command": "claude -p 'fix {file}'"})
    assert settings.agent_command == ("claude", "-p", "fix {file}")
    assert settings.agent == ("command",)


def test_agent_that_is_named_stays_beside_an_agent_command(tmp_path: Path) -> None:
    own(tmp_path, '[fix]\nagent = "autofix"\nagent_command = ["claude", "-p"]\n')
    assert load_settings(tmp_path, {}).agent == ("autofix",)


def test_agent_command_that_counts_more_than_the_agents_of_a_file_takes_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own(tmp_path, '[fix]\nagent = ["autofix", "claude"]\n')
    settings, origins = settings_with_origins(tmp_path, {"agent_command": "mine {file}"})
    assert (settings.agent, origins["agent"]) == (("command",), "default")
    monkeypatch.setenv("FANFOLD_FIX_AGENT_COMMAND", "mine {file}")
    assert load_settings(tmp_path, {}).agent == ("command",)
    assert load_settings(tmp_path, {"agent": ["codex"]}).agent == ("codex",)
    monkeypatch.setenv("FANFOLD_FIX_AGENT_COMMAND", "")
    assert load_settings(tmp_path, {}).agent == ("autofix", "claude")


def test_agent_command_of_the_command_line_that_nobody_would_run_is_refused(tmp_path: Path) -> None:
    own(tmp_path, '[fix]\nagent = "autofix"\n[fix.agents.mine]\nuse = "command"\n')
    with pytest.raises(ConfigError, match="nobody would run --agent-command: the agents are autofix, codex"):
        load_settings(tmp_path, {"agent_command": "mine {file}", "agent": ["autofix", "codex"]})
    for empty in ("", " "):
        with pytest.raises(ConfigError, match="--agent-command is empty"):
            load_settings(tmp_path, {"agent_command": empty})
    for agents in (["autofix", "command"], ["mine"]):
        given = {"agent_command": "mine {file}", "agent": agents}
        assert load_settings(tmp_path, given).agent == tuple(agents)


def test_agents_may_be_several_and_have_settings_of_their_own(tmp_path: Path) -> None:
    own(tmp_path, '[fix]\nagent = ["autofix", "cheap"]\n[fix.agents.cheap]\nuse = "llm"\nmodel = "small"\n')
    settings = load_settings(tmp_path, {})
    assert settings.agent == ("autofix", "cheap")
    assert settings.agents == {"cheap": {"use": "llm", "model": "small"}}
    assert load_settings(tmp_path, {"agent": ["one,two"]}).agent == ("one,two",)


def test_agents_come_from_the_environment_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FANFOLD_FIX_AGENT", "autofix,cheap")
    monkeypatch.setenv("FANFOLD_FIX_AGENTS", '{"cheap": {"use": "llm"}}')
    settings = load_settings(tmp_path, {})
    assert (settings.agent, settings.agents) == (("autofix", "cheap"), {"cheap": {"use": "llm"}})
    monkeypatch.setenv("FANFOLD_FIX_AGENTS", "cheap")
    with pytest.raises(ConfigError, match="must be a table of tables"):
        load_settings(tmp_path, {})


def test_relative_workspaces_of_a_file_are_relative_to_the_file(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    own(root, '[fix]\nworkspaces = "../copies"\n')
    assert load_settings(root, {}).workspaces.resolve() == (tmp_path / "copies").resolve()


@pytest.mark.parametrize(
    "line",
    ['workspaces = "~nobody-here/x"', 'sandbox_read = ["~nobody-here/x"]', 'agent_command = "~nobody-here/x {file}"'],
)
def test_the_home_of_nobody_is_told(tmp_path: Path, line: str) -> None:
    own(tmp_path, f"[fix]\n{line}\n")
    assert "~nobody-here/x begins with a home that there is not" in refusal(tmp_path).message


@pytest.mark.parametrize(
    ("command", "argv"),
    [
        ("'./tools/agent {file} \"a b\"'", ["{root}/tools/agent", "{file}", "a b"]),
        ("['../agent', './{file}']", ["{above}/agent", "./{file}"]),
        ("'~/agent {file}'", ["{home}/agent", "{file}"]),
        ("'my-agent ./{file}'", "my-agent ./{file}"),
        ("'/opt/agent {file}'", "/opt/agent {file}"),
        ("'./agent \"{file}'", './agent "{file}'),
    ],
)
def test_program_of_a_file_is_relative_to_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, argv: str | list[str]
) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    words = argv if isinstance(argv, str) else [_in(tmp_path, word) for word in argv]
    own(tmp_path, f"[fix.agents.mine]\nuse = 'command'\ncommand = {command}\n")
    assert load_settings(tmp_path, {}).agents == {"mine": {"use": "command", "command": words}}
    if isinstance(argv, list):
        own(tmp_path, f"[fix]\nagent_command = {command}\n")
        assert list(load_settings(tmp_path, {}).agent_command) == words


def _in(root: Path, word: str) -> str:
    return word.replace("{root}", str(root)).replace("{above}", str(root.parent)).replace("{home}", "/home/ada")


def test_program_of_a_preset_is_relative_to_the_file(tmp_path: Path) -> None:
    own(tmp_path, "[fix.agents.a]\nuse = 'claude'\nprogram = 'bin/claude'\n[fix.agents.b]\nprogram = 'claude'\n")
    agents = load_settings(tmp_path, {}).agents
    assert (agents["a"]["program"], agents["b"]["program"]) == (str(tmp_path / "bin" / "claude"), "claude")


def test_program_of_the_command_line_or_the_environment_is_relative_to_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FANFOLD_FIX_AGENT_COMMAND", "./agent {file}")
    assert load_settings(tmp_path, {}).agent_command == ("./agent", "{file}")
    assert load_settings(tmp_path, {"agent_command": "../agent"}).agent_command == ("../agent",)


@pytest.mark.parametrize("name", ["workspaces", "state"])
def test_folders_of_fanfolds_own_inside_the_project_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / ".git").mkdir()
    own(tmp_path, f'[fix]\n{name} = "copies"\n')
    assert refusal(tmp_path).message.startswith(f"{name} is ")
    assert "inside the project" in refusal(tmp_path).message


def test_records_are_kept_where_the_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings(tmp_path, {}).state.is_absolute()
    monkeypatch.setenv("FANFOLD_FIX_STATE", str(tmp_path / "state"))
    assert load_settings(tmp_path, {}).state == tmp_path / "state"


def test_settings_can_not_be_changed(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {})
    with pytest.raises(ValidationError):
        settings.jobs = 2


def test_workers_or_an_address_mean_a_cluster(tmp_path: Path) -> None:
    own(tmp_path, "[fix]\nworkers = 2\n")
    settings, origins = settings_with_origins(tmp_path, {})
    assert (settings.runtime, settings.workers, origins["workers"]) == ("cluster", 2, "fanfold.toml")
    assert load_settings(tmp_path, {"runtime": "native"}).runtime == "native"
    own(tmp_path, "[fix]\ncluster = 'tcp://127.0.0.1:8786'\n")
    assert load_settings(tmp_path, {}).runtime == "cluster"


def test_runtime_and_certificates_come_from_files_too(tmp_path: Path) -> None:
    own(tmp_path, "[fix]\nruntime = 'langgraph'\ncluster-certificates = 'certs'\n")
    settings, origins = settings_with_origins(tmp_path, {})
    assert (settings.runtime, origins["runtime"]) == ("langgraph", "fanfold.toml")
    assert settings.cluster_certificates == tmp_path / "certs"
    own(tmp_path, "[fix]\nruntime = 'ray'\n")
    assert refusal(tmp_path).message == ('runtime is \'ray\', but must be "auto", "native", "langgraph" or "cluster"')


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("fanfold.toml", "[fix]\njobs = 7\n[troubleshoot]\nmin-sources-required = 2\n"),
        ("pyproject.toml", "[tool.fanfold.fix]\njobs = 7\n[tool.fanfold.troubleshoot]\nmin-sources-required = 2\n"),
    ],
)
def test_settings_of_the_other_application_are_none_of_this_one(tmp_path: Path, file: str, text: str) -> None:
    (tmp_path / file).write_text(text)
    assert load_settings(tmp_path, {}).jobs == 7
    found = find_table(tmp_path, "troubleshoot")
    assert found is not None
    assert (found.file, found.values) == (file, {"min_sources_required": 2})


def test_each_application_may_have_a_file_of_its_own(tmp_path: Path) -> None:
    own(tmp_path, "[troubleshoot]\n")
    shared(tmp_path, "[tool.fanfold.fix]\njobs = 7\n")
    assert load_settings(tmp_path, {}).jobs == 7
