"""Holding the line: what is in the baseline or older than the branch is left alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fanfold.cli.render.data import render_json
from fanfold.cli.render.sarif import render_sarif
from fanfold.config import load_settings
from fanfold.errors import FanfoldError
from fanfold.fix import Report, Request, run
from fanfold.fix.findings.knownfile import write_baseline
from fanfold.testing.repositories import TemporaryRepository, make_repository

OLD = "import os\nimport sys\n\n\ndef f(x):\n    try:\n        return x\n    except:\n        return 1\n"
MOVED = f"# moved down\n\n{OLD}"


async def planned(repository: TemporaryRepository, tmp_path: Path, **options: object) -> Report:
    settings = load_settings(repository.root, {"workspaces": tmp_path / "home", "tests": "none", **options})
    return await run(Request(repository.root, settings, dry_run=True))


def left(report: Report) -> dict[tuple[str, str], int]:
    return {(one.path, one.reason): one.count for one in report.left_out}


def places(report: Report) -> list[tuple[str, int, str]]:
    return [(one.path, one.line, one.rule) for one in report.remaining]


@pytest.fixture
def legacy(tmp_path: Path) -> TemporaryRepository:
    return make_repository(tmp_path / "legacy", {"a.py": OLD, "b.py": "import json\n"})


@pytest.mark.parametrize("form", ["baseline", "json", "sarif"])
async def test_findings_of_a_baseline_are_left_alone_wherever_they_stand_by_now(
    tmp_path: Path, legacy: TemporaryRepository, form: str
) -> None:
    before = await planned(legacy, tmp_path)
    file = tmp_path / "baseline"
    if form == "baseline":
        write_baseline(file, before.remaining)
    else:
        file.write_text(render_json(before) if form == "json" else render_sarif(before))
    legacy.commit({"a.py": MOVED.replace("import os", "import os\nimport re"), "c.py": "import csv\n"})
    report = await planned(legacy, tmp_path, baseline=file)
    assert places(report) == [("a.py", 4, "F401"), ("c.py", 1, "F401")]
    assert left(report) == {("a.py", "in the baseline"): 3, ("b.py", "in the baseline"): 1}
    assert not [note for note in report.notes if "baseline" in note]


async def test_with_everything_in_the_baseline_there_is_nothing_to_do(
    tmp_path: Path, legacy: TemporaryRepository
) -> None:
    file = tmp_path / "baseline"
    write_baseline(file, (await planned(legacy, tmp_path)).remaining)
    report = await planned(legacy, tmp_path, baseline=file)
    assert report.exit_code == 0
    assert report.tasks == ()


async def test_how_much_of_a_baseline_is_gone_is_told(tmp_path: Path, legacy: TemporaryRepository) -> None:
    file = tmp_path / "baseline"
    write_baseline(file, (await planned(legacy, tmp_path)).remaining)
    legacy.commit({"b.py": "", "a.py": OLD.replace("import os\n", "")})
    report = await planned(legacy, tmp_path, baseline=file)
    assert "the baseline baseline has 2 findings that are gone: write it anew with --write-baseline" in report.notes
    selected = await planned(legacy, tmp_path, baseline=file, exclude=("b.py",))
    assert "the baseline baseline has 1 finding that is gone: write it anew with --write-baseline" in selected.notes


async def test_of_a_checker_that_did_not_run_nothing_is_gone(tmp_path: Path, legacy: TemporaryRepository) -> None:
    entry = {"path": "a.py", "checker": "mypy", "rule": "arg-type", "fingerprint": "0" * 16}
    file = tmp_path / "baseline"
    file.write_text(json.dumps({"fanfold_baseline": 1, "findings": [entry]}))
    assert not [note for note in (await planned(legacy, tmp_path, baseline=file)).notes if "baseline" in note]


async def test_a_setting_names_the_baseline_from_its_own_folder(tmp_path: Path, legacy: TemporaryRepository) -> None:
    write_baseline(legacy.root / "known.json", (await planned(legacy, tmp_path)).remaining)
    legacy.commit({"fanfold.toml": '[fix]\nbaseline = "known.json"\n'})
    assert (await planned(legacy, tmp_path)).remaining == ()


async def test_only_what_the_branch_brought_is_new(tmp_path: Path, legacy: TemporaryRepository) -> None:
    legacy.git("checkout", "-q", "-b", "feature")
    legacy.commit({"a.py": MOVED.replace("import os", "import os\nimport re"), "c.py": "import csv\n"})
    legacy.git("checkout", "-q", "main")
    legacy.commit({"b.py": "import json\nimport csv\n"})
    legacy.git("checkout", "-q", "feature")
    report = await planned(legacy, tmp_path, only_new="main")
    assert places(report) == [("a.py", 4, "F401"), ("c.py", 1, "F401")]
    assert left(report) == {("a.py", "not new since main"): 3, ("b.py", "not new since main"): 1}
    assert (await planned(legacy, tmp_path, only_new="auto")).remaining == report.remaining


async def test_a_renamed_file_takes_its_findings_along(tmp_path: Path, legacy: TemporaryRepository) -> None:
    legacy.git("checkout", "-q", "-b", "feature")
    legacy.git("mv", "a.py", "new name.py")
    legacy.commit({"new name.py": MOVED})
    assert (await planned(legacy, tmp_path, only_new="main")).remaining == ()


async def test_a_finding_of_unchanged_code_is_new_where_the_branch_caused_it(tmp_path: Path) -> None:
    files = {"a.py": "from b import size\n\nprint(size(1))\n", "b.py": "def size(x: int) -> int:\n    return x\n"}
    repository = make_repository(tmp_path / "r", {**files, "ty.toml": ""})
    repository.git("checkout", "-q", "-b", "feature")
    repository.commit({"b.py": "def size(x: str) -> int:\n    return len(x)\n"})
    report = await planned(repository, tmp_path, only_new="main", checks=("ty",))
    assert places(report) == [("a.py", 3, "invalid-argument-type")]


async def test_without_commits_of_its_own_a_branch_has_nothing_new(tmp_path: Path, legacy: TemporaryRepository) -> None:
    report = await planned(legacy, tmp_path, only_new="HEAD")
    assert report.remaining == ()
    assert "HEAD has no commit of its own since HEAD" in report.notes


async def test_where_the_commit_before_could_not_be_checked_all_is_new_and_that_is_told(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": "x: int = ''\n", "ty.toml": "[rules"})
    repository.git("checkout", "-q", "-b", "feature")
    repository.commit({"ty.toml": ""})
    report = await planned(repository, tmp_path, only_new="main", checks=("ty",))
    assert len(report.remaining) == 1
    assert any("ty could not check" in note and "counts as new" in note for note in report.notes)


async def test_both_can_be_given(tmp_path: Path, legacy: TemporaryRepository) -> None:
    legacy.git("checkout", "-q", "-b", "feature")
    legacy.commit({"c.py": "import csv\n"})
    file = tmp_path / "baseline"
    write_baseline(file, [one for one in (await planned(legacy, tmp_path)).remaining if one.path in ("b.py", "c.py")])
    report = await planned(legacy, tmp_path, only_new="main", baseline=file)
    assert report.remaining == ()
    assert {reason for _, reason in left(report)} == {"in the baseline", "not new since main"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"baseline": "nowhere.json"}, "nowhere.json can't be read"),
        ({"only_new": "nowhere"}, "nowhere is not a commit"),
        ({"only_new": "--help"}, "--help is not a commit"),
        ({"only_new": "auto"}, "main has no upstream, and there is no other branch called main"),
    ],
)
async def test_what_can_not_be_compared_with_is_refused_before_anything_is_checked(
    tmp_path: Path, legacy: TemporaryRepository, options: dict[str, object], words: str
) -> None:
    settings = load_settings(legacy.root, {"workspaces": tmp_path / "home", **options})
    events: list[object] = []
    with pytest.raises(FanfoldError) as raised:
        await run(Request(legacy.root, settings), on_event=events.append)
    assert words in raised.value.message
    assert raised.value.hint
    assert events == []


@pytest.mark.parametrize("formatted", [False, True])
async def test_autofix_fixes_what_is_new_and_nothing_along_with_it(tmp_path: Path, formatted: bool) -> None:
    old = "import json, os\nimport sys\n\nx = {'a': 1}\nprint(f'x')\n"
    if formatted:
        old = old.replace("'", '"').replace("import json, os", "import json\nimport os")
    tables = "[tool.ruff.format]\n" if formatted else "[tool.ruff]\n"
    repository = make_repository(tmp_path / "r", {"a.py": old, "pyproject.toml": tables})
    repository.git("checkout", "-q", "-b", "feature")
    repository.commit({"a.py": old.replace("import sys", "import re\nimport sys") + 'print(f"new")\n'})
    settings = load_settings(
        repository.root, {"workspaces": tmp_path / "home", "tests": "none", "only_new": "main", "select": ("F",)}
    )
    report = await run(Request(repository.root, settings))
    assert [(task.status, task.fixed) for task in report.tasks] == [("fixed", 2)]
    assert report.tasks[0].refused == ()
    assert repository.git("show", f"{report.tip}:a.py") == old + 'print("new")\n'
