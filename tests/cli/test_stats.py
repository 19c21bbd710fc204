"""`fanfold stats` as a user types it."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fanfold.cli.main import main
from fanfold.cli.stats import BAR, bar
from fanfold.fix.learning import exchange
from fanfold.fix.learning.lesson import Example, Lesson
from fanfold.fix.learning.names import place_of
from fanfold.fix.learning.store import Store
from fanfold.git import Repository
from fanfold.testing.repositories import make_repository

AT_S = 1_800_000_000.0
LESSON = Lesson(
    trail="t1",
    run="r1",
    checker="ruff",
    rule="E722",
    agent="cheap",
    stage=0,
    number=1,
    asked=4,
    fixed=1,
    cost_usd=0.02,
    tokens=2_000.0,
    agent_s=3.0,
    at_s=AT_S,
)
STRONG = replace(LESSON, trail="t2", agent="strong", asked=3, fixed=3, cost_usd=1.5, at_s=AT_S + 86_400)
UNKNOWN = replace(LESSON, trail="t3", agent="command", rule="F401", fixed=0, cost_usd=None, tokens=None)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("FANFOLD_FIX_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(make_repository(tmp_path / "here", {"a.py": "X = 1\n"}).root)
    return Store(tmp_path / "state" / "learning.sqlite")


def here() -> str:
    return place_of(asyncio.run(Repository.open(Path.cwd())))


def stats(capsys: pytest.CaptureFixture[str], *args: str, code: int = 0) -> str:
    capsys.readouterr()
    assert main(["stats", *args]) == code
    said = capsys.readouterr()
    return said.err if code else said.out


def test_nothing_learned_is_said_so(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert "Nothing was learned yet" in stats(capsys)
    assert "Nothing was learned in this project yet" in stats(capsys, "--project")
    assert not store.path.exists()


def test_agents_rules_and_days_are_shown_with_what_they_cost(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    store.learn("/p", [LESSON, STRONG, UNKNOWN])

    rows = [" ".join(line.split()) for line in stats(capsys).splitlines()]

    assert "cheap 4 1 25% 1 0.0200 USD 0.0200 USD 2,000 3.0 s" in rows
    assert "strong 3 3 100% 1 1.50 USD 0.5000 USD 2,000 3.0 s" in rows
    assert "command 4 0 0% 1 ? ? ? 3.0 s" in rows
    assert "ruff E722 strong 3 3 100% 1 1.50 USD 0.5000 USD" in rows
    assert f"strong 2027-01-16 {bar(1.0)} 3 of 3" in rows


def test_a_try_at_several_rules_is_one_try_of_its_agent(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    store.learn("/p", [LESSON, replace(LESSON, rule="E711")])

    told = json.loads(stats(capsys, "--json"))

    assert [(agent["tries"], agent["findings"]) for agent in told["agents"]] == [(1, 8)]
    assert [(rule["rule"], rule["tries"]) for rule in told["rules"]] == [("E711", 1), ("E722", 1)]


def test_json_holds_all_figures(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    store.learn("/p", [LESSON])

    told = json.loads(stats(capsys, "--json"))

    assert told["schema_version"] == 1
    assert told["scope"] == "all projects"
    assert (
        told["rules"][0]
        == {
            "agent": "cheap",
            "checker": "ruff",
            "rule": "E722",
            "findings": 4,
            "fixed": 1,
            "tries": 1,
            "cost_usd": 0.02,
            "tokens": 2000.0,
            "agent_s": 3.0,
            "rate": 0.25,
            "usd_per_fix": 0.02,
        }
        or told["rules"][1]["agent"] == "cheap"
    )
    assert told["progress"][0] == {"agent": "cheap", "day": "2027-01-15", "findings": 4, "fixed": 1}


def test_figures_of_this_project_can_be_seen_apart(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    store.learn("/elsewhere", [LESSON])
    store.learn(here(), [STRONG])

    told = stats(capsys, "--project")

    assert "strong" in told
    assert "cheap" not in told


def test_a_long_list_of_rules_is_cut_unless_all_is_wanted(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    store.learn("/p", [replace(LESSON, rule=f"E{number}") for number in range(100, 140)])

    short, whole = stats(capsys), stats(capsys, "--verbose")

    assert "and 10 more" in short
    assert whole.count("ruff E1") == 40


def test_figures_go_from_one_machine_to_another(
    store: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.learn(
        "/home/ada/secret",
        [LESSON, STRONG],
        [Example(trail="t1", checker="ruff", rule="E722", diff="-my code", at_s=AT_S)],
    )
    stats(capsys, "--export", str(tmp_path / "figures.jsonl"))
    text = (tmp_path / "figures.jsonl").read_text()
    monkeypatch.setenv("FANFOLD_FIX_STATE", str(tmp_path / "other"))

    assert "Took in 2 figures, 0 were known already" in stats(capsys, "--import", str(tmp_path / "figures.jsonl"))
    assert "Took in 0 figures, 2 were known already" in stats(capsys, "--import", str(tmp_path / "figures.jsonl"))
    assert "strong" in stats(capsys)
    assert "ada" not in text
    assert "my code" not in text


def test_figures_are_exported_to_a_pipe(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    store.learn("/p", [LESSON])

    head, line = stats(capsys, "--export", "-").splitlines()

    assert json.loads(head)["kind"] == "fanfold learned"
    assert json.loads(line)["agent"] == "cheap"


def test_one_project_can_be_forgotten_or_all(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    store.learn("/elsewhere", [LESSON])
    store.learn(here(), [STRONG])

    assert "Forgot 1 try" in stats(capsys, "--reset", "--project")
    assert [total.agent for total in store.totals()] == ["cheap"]
    assert "Forgot 1 try" in stats(capsys, "--reset")
    assert store.totals() == []


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--json", "--reset"), "--json and --reset contradict each other"),
        (("--export", "a", "--import", "b"), "--export and --import contradict"),
        (("--import", "b", "--project"), "other projects' figures"),
        (("--import", "nowhere.jsonl"), "nowhere.jsonl can't be read"),
        (("--import", "a.py"), "no file of"),
        (("--export", "no/such/folder/f"), "can't be written"),
    ],
)
def test_what_cannot_be_done_is_refused_with_words(
    store: Store, capsys: pytest.CaptureFixture[str], args: tuple[str, ...], words: str
) -> None:
    store.learn("/p", [LESSON])

    assert words in stats(capsys, *args, code=2)
    assert len(store.totals()) == 1


def test_an_import_with_a_wrong_line_adds_nothing(
    store: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    store.learn("/p", [LESSON, STRONG])
    lines = stats(capsys, "--export", "-").splitlines()
    (tmp_path / "f.jsonl").write_text("\n".join([*lines, lines[-1].replace('"asked": 3', '"asked": -3')]))
    store.forget()

    assert "line 4 is wrong: asked" in stats(capsys, "--import", str(tmp_path / "f.jsonl"), code=2)
    assert store.totals() == []


@pytest.mark.parametrize("piped", [False, True])
def test_no_more_is_read_than_a_file_of_figures_may_hold(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, piped: bool
) -> None:
    store.learn("/p", [LESSON])
    file = tmp_path / "f.jsonl"
    file.write_text(stats(capsys, "--export", "-"))
    size = file.stat().st_size
    with file.open() as text:
        monkeypatch.setattr(sys, "stdin", text)
        monkeypatch.setattr(exchange, "MAX_BYTES", size - 1)
        source = "-" if piped else str(file)

        assert f"there are more than {size - 1:,} bytes to import" in stats(capsys, "--import", source, code=2)
    monkeypatch.setattr(exchange, "MAX_BYTES", size)
    assert "1 were known already" in stats(capsys, "--import", str(file))


@pytest.mark.usefixtures("store")
def test_what_never_ends_is_not_read_to_its_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "MAX_BYTES", 1_000)

    assert "more than 1,000 bytes" in stats(capsys, "--import", "/dev/zero", code=2)


def test_names_that_somebody_else_chose_do_not_reach_the_terminal_raw(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    store.learn("/p", [replace(LESSON, rule="E1\x1b[31m", agent="a\u202eb")])

    told = stats(capsys)

    assert "\x1b" not in told
    assert "\u202e" not in told


def test_a_bar_is_as_long_as_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [len(bar(share)) for share in (0.0, 0.5, 1.0, 7.0)] == [0, BAR // 2, BAR, BAR]

    monkeypatch.setattr(sys, "stdout", type("Ascii", (), {"encoding": "ascii"})())
    assert bar(0.5) == "#" * (BAR // 2)
