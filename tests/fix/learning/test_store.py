"""The file of what was learned."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from fanfold.fix.learning.errors import LearningError
from fanfold.fix.learning.exchange import exported, imported
from fanfold.fix.learning.figures import Figures
from fanfold.fix.learning.lesson import Example, Lesson
from fanfold.fix.learning.queries import MOST_EXAMPLES
from fanfold.fix.learning.store import FORGOTTEN_AFTER_S, Store

NOW = time.time()
LESSON = Lesson(
    trail="t1",
    run="r1",
    checker="ruff",
    rule="F401",
    agent="cheap",
    stage=0,
    number=1,
    asked=2,
    fixed=1,
    cost_usd=0.5,
    tokens=100.0,
    agent_s=3.0,
    at_s=NOW,
)
EXAMPLE = Example(trail="t1", checker="ruff", rule="F401", diff="-import os", at_s=NOW)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "state" / "learning.sqlite")


def test_what_is_told_twice_counts_once_and_its_last_word_holds(store: Store) -> None:
    store.learn("/p", [replace(LESSON, fixed=0)])
    store.learn("/p", [LESSON])
    store.learn("/p", [LESSON])

    [total] = store.totals("/p")
    assert (total.findings, total.fixed, total.tries, total.cost_usd, total.tokens) == (2, 1, 1, 0.5, 100.0)
    assert (total.rate, total.usd_per_fix) == (0.5, 0.5)


def test_a_finding_counts_once_however_often_it_was_tried(store: Store) -> None:
    store.learn("/p", [replace(LESSON, fixed=0), replace(LESSON, trail="t2", number=2)])

    [total] = store.totals()
    assert (total.findings, total.fixed, total.tries) == (2, 1, 2)


def test_first_and_further_tries_are_told_apart(store: Store) -> None:
    store.learn("/p", [replace(LESSON, fixed=0), replace(LESSON, trail="t2", number=2, fixed=2)])

    figures = store.figures("/p", ["cheap"])

    first, again = (figures.tally("cheap", "ruff F401", first=which) for which in (True, False))
    assert (first.won, first.lost) == pytest.approx((0.0, 1.0), abs=1e-3)
    assert (again.won, again.lost) == pytest.approx((1.0, 0.0), abs=1e-3)


def test_a_file_with_many_findings_of_a_rule_counts_as_one_try(store: Store) -> None:
    store.learn("/p", [replace(LESSON, asked=100, fixed=25)])

    tally = store.figures("/p", ["cheap"]).tally("cheap", "ruff F401", first=True)

    assert (tally.won, tally.lost) == pytest.approx((0.25, 0.75), abs=1e-3)


def test_newer_figures_count_more_than_older_ones(store: Store) -> None:
    store.learn("/p", [LESSON, replace(LESSON, trail="t2", rule="E1", at_s=NOW - 180 * 86_400.0)])

    figures = store.figures("/p", ["cheap"])

    assert figures.tally("cheap", "ruff F401", first=True).weight == pytest.approx(1.0, abs=0.01)
    assert figures.tally("cheap", "ruff E1", first=True).weight == pytest.approx(0.25, abs=0.01)


def test_this_projects_figures_outweigh_those_of_others(store: Store) -> None:
    store.learn("/own", [replace(LESSON, trail=f"t{n}", fixed=2) for n in range(30)])
    store.learn("/other", [replace(LESSON, trail=f"u{n}", fixed=0) for n in range(30)])

    here, elsewhere = (
        store.figures(place, ["cheap"]).tally("cheap", "ruff F401", first=True) for place in ("/own", "/new")
    )

    assert here.won > 2 * here.lost > 0
    assert elsewhere.won == pytest.approx(elsewhere.lost)


def test_costs_are_those_of_a_try_whatever_it_was_asked(store: Store) -> None:
    store.learn("/p", [LESSON, replace(LESSON, rule="E1"), replace(LESSON, trail="t2", cost_usd=None, tokens=None)])

    cost = store.figures("/p", ["cheap"]).costs["cheap"]

    assert (cost.tries, cost.cost_usd, cost.priced, cost.tokens, cost.counted) == (2, 1.0, 1, 200.0, 1)
    assert cost.agent_s == 9.0


def test_figures_of_agents_that_nobody_asks_about_stay_out(store: Store) -> None:
    store.learn("/p", [LESSON])

    assert store.figures("/p", ["strong"]) == Figures()


def test_a_file_that_is_not_there_knows_nothing_and_is_not_made_by_asking(store: Store) -> None:
    assert store.figures("/p", ["cheap"]) == Figures()
    assert (store.totals(), store.progress(), store.lessons(), store.examples("/p", ["ruff F401"])) == ([], [], [], {})
    assert store.forget() == 0
    assert not store.path.exists()


def test_the_file_is_for_its_owner_alone(store: Store) -> None:
    store.learn("/p", [LESSON])

    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700


def test_it_is_plain_sqlite_with_a_write_ahead_log(store: Store) -> None:
    store.learn("/p", [LESSON])

    connection = sqlite3.connect(store.path)
    try:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("SELECT agent, rule, fixed FROM tries").fetchall() == [("cheap", "F401", 1)]
    finally:
        connection.close()


def test_examples_are_of_the_project_and_the_newest_first(store: Store) -> None:
    store.learn("/p", [], [EXAMPLE, replace(EXAMPLE, trail="t2", diff="-import re", at_s=NOW + 1)])
    store.learn("/q", [], [replace(EXAMPLE, trail="t3", diff="-import sys")])

    assert store.examples("/p", ["ruff F401", "ruff E1"]) == {"ruff F401": ("-import re", "-import os")}


def test_of_many_examples_the_newest_are_kept(store: Store) -> None:
    store.learn(
        "/p", [], [replace(EXAMPLE, trail=f"t{n}", diff=f"-{n}", at_s=NOW + n) for n in range(MOST_EXAMPLES + 5)]
    )

    kept = store.examples("/p", ["ruff F401"])["ruff F401"]

    assert (len(kept), kept[0]) == (MOST_EXAMPLES, f"-{MOST_EXAMPLES + 4}")


def test_what_is_too_old_is_forgotten(store: Store) -> None:
    store.learn("/p", [LESSON, replace(LESSON, trail="t2", rule="E1", at_s=NOW - FORGOTTEN_AFTER_S - 1)])

    assert [total.rule for total in store.totals()] == ["F401"]


def test_forgetting_a_project_leaves_the_others(store: Store) -> None:
    store.learn("/p", [LESSON], [EXAMPLE])
    store.learn("/q", [replace(LESSON, trail="t2")], [EXAMPLE])

    assert store.forget("/p") == 1
    assert (store.totals("/p"), store.examples("/p", ["ruff F401"])) == ([], {})
    assert (len(store.totals("/q")), len(store.examples("/q", ["ruff F401"]))) == (1, 1)
    assert store.forget("/nowhere") == 0
    assert store.forget() == 1
    assert store.totals() == []


def test_what_was_forgotten_is_not_in_the_file_any_more(store: Store) -> None:
    store.learn("/a/place/of/mine", [], [replace(EXAMPLE, diff="-what I wrote myself")])

    store.forget()

    assert b"what I wrote" not in store.path.read_bytes()
    assert b"/a/place/of" not in store.path.read_bytes()


def test_progress_is_told_by_day(store: Store) -> None:
    at_s = 1_800_000_000.0
    store.learn("/p", [replace(LESSON, at_s=at_s), replace(LESSON, trail="t2", at_s=at_s + 86_400)])

    assert [(one.day, one.findings, one.fixed) for one in store.progress("/p")] == [
        ("2027-01-15", 2, 1),
        ("2027-01-16", 2, 1),
    ]


def test_many_processes_write_at_once_and_nothing_is_lost(store: Store) -> None:
    code = (
        "import sys, dataclasses\n"
        "from pathlib import Path\n"
        "from fanfold.fix.learning.lesson import Lesson\n"
        "from fanfold.fix.learning.store import Store\n"
        f"lesson = {LESSON!r}\n"
        "for n in range(10):\n"
        "    Store(Path(sys.argv[1])).learn(sys.argv[2], [dataclasses.replace(lesson, trail=sys.argv[2] + str(n))])\n"
    )
    at_work = [subprocess.Popen([sys.executable, "-c", code, str(store.path), f"/p{n}"]) for n in range(4)]

    assert [each.wait(60) for each in at_work] == [0] * 4
    assert sum(total.tries for total in store.totals()) == 40


@pytest.mark.parametrize(
    ("statement", "words"),
    [("CREATE TABLE theirs (x)", "another program's"), ("PRAGMA user_version = 99", "format 99")],
    ids=["a strange database", "one of a newer Fanfold"],
)
def test_a_file_that_is_not_ours_to_write_is_left_as_it_is(tmp_path: Path, statement: str, words: str) -> None:
    store = Store(tmp_path / "learning.sqlite")
    if "user_version" in statement:
        store.learn("/p", [LESSON])
    connection = sqlite3.connect(store.path, isolation_level=None)
    connection.execute(statement)
    connection.close()
    before = store.path.read_bytes()

    with pytest.raises(LearningError, match=words):
        store.learn("/p", [LESSON])

    assert store.path.read_bytes() == before


def test_a_damaged_file_is_an_error_with_a_way_out(store: Store) -> None:
    store.path.parent.mkdir()
    store.path.write_bytes(b"no database" * 1_000)

    with pytest.raises(LearningError) as error:
        store.totals()

    assert "--no-learn" in (error.value.hint or "")


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")

    with pytest.raises(LearningError):
        Store(tmp_path / "state" / "learning.sqlite").learn("/p", [LESSON])


def test_what_was_exported_can_be_taken_in_elsewhere_once(store: Store, tmp_path: Path) -> None:
    store.learn("/home/ada/secret-project", [LESSON, replace(LESSON, rule="E1")], [EXAMPLE])
    lines = list(exported(store.lessons()))
    other = Store(tmp_path / "other.sqlite")

    assert other.take_in(imported(lines)) == 2
    assert other.take_in(imported(lines)) == 0
    assert [(total.rule, total.fixed) for total in other.totals()] == [("E1", 1), ("F401", 1)]
    assert other.figures("/mine", ["cheap"]).tally("cheap", "ruff F401", first=True).weight > 0


def test_an_export_has_neither_folders_nor_code(store: Store) -> None:
    store.learn("/home/ada/secret-project", [LESSON], [EXAMPLE])

    text = "\n".join(exported(store.lessons()))

    assert "ada" not in text
    assert "secret-project" not in text
    assert "import os" not in text


def test_an_export_of_one_project_has_only_that(store: Store) -> None:
    store.learn("/p", [LESSON])
    store.learn("/q", [replace(LESSON, trail="t2", agent="strong")])

    assert [lesson.agent for _, lesson in store.lessons("/q")] == ["strong"]


HEAD = '{"kind": "fanfold learned", "format": 1}'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no file of"),
        ("[]", "no file of"),
        ("not json", "no file of"),
        ("[" * 100_000, "no file of"),
        ('{"kind": "fanfold learned", "format": 2}', "format 2"),
        (HEAD + "\n{", "line 2"),
        (HEAD + '\n{"project": "p"}', "line 2"),
    ],
)
def test_a_file_that_is_no_export_is_refused(text: str, words: str) -> None:
    with pytest.raises(LearningError, match=words):
        imported(text.splitlines())


@pytest.mark.parametrize(
    "wrong",
    [
        {"fixed": 3},
        {"asked": 0},
        {"agent_s": -1.0},
        {"at_s": float("nan")},
        {"at_s": 1e12},
        {"agent": ""},
        {"agent": "a\nb"},
        {"rule": "x" * 300},
        {"number": 0},
        {"asked": "2"},
    ],
    ids=lambda wrong: str(wrong)[:30],
)
def test_a_line_of_an_import_that_cannot_be_right_is_refused(wrong: dict[str, object]) -> None:
    lines = exported([("p", replace(LESSON, **wrong))])  # type: ignore[arg-type]

    with pytest.raises(LearningError, match="line 2"):
        imported(lines)
