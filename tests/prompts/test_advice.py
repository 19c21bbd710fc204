"""The advice that comes with Fanfold, and that of projects."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import fanfold
from fanfold.process import find_program
from fanfold.prompts import advice_on
from fanfold.prompts.advice import FOLDER, MAX_CHARS

FILES = sorted((Path(fanfold.__file__).parent / "advice").glob("*/*.md"))
BLOCK = re.compile(r"^```python\n# before\n(.*?)\n# after\n(.*?)\n```$", re.DOTALL | re.MULTILINE)
MAX_LINES = 24
CHEATS = re.compile(r"noqa|type: ignore|pragma|cast\(|: Any|exec\(|eval\(")


def parts(file: Path) -> tuple[str, str, str]:
    """The words, and the code before and after."""
    text = file.read_text("utf-8")
    found = BLOCK.search(text)
    assert found is not None, f"{file} has no example"
    return text[: found.start()].strip(), found[1] + "\n", found[2] + "\n"


def test_the_most_common_rules_have_advice() -> None:
    checkers = [file.parent.name for file in FILES]
    assert checkers.count("ruff") >= 26
    assert checkers.count("mypy") >= 14


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_advice_is_short_and_shows_no_way_to_silence_a_rule(file: Path) -> None:
    words, _, after = parts(file)
    assert len(file.read_text("utf-8").splitlines()) <= MAX_LINES
    assert 60 <= len(words) <= 700
    assert max(map(len, file.read_text("utf-8").splitlines())) <= 120
    assert not CHEATS.search(after)


def test_ruff_finds_the_rule_before_and_not_after(tmp_path: Path) -> None:
    files = [file for file in FILES if file.parent.name == "ruff"]
    for file in files:
        _, before, after = parts(file)
        (tmp_path / f"{file.stem}_before.py").write_text(before)
        (tmp_path / f"{file.stem}_after.py").write_text(after)
    found = ruff(tmp_path, ",".join(file.stem for file in files))
    for file in files:
        assert file.stem in found.get(f"{file.stem}_before.py", set()), f"{file.stem}: the code before hasn't got it"
        assert file.stem not in found.get(f"{file.stem}_after.py", set()), f"{file.stem}: the code after has it"
        assert "invalid-syntax" not in found.get(f"{file.stem}_after.py", set())


def ruff(root: Path, select: str) -> dict[str, set[str]]:
    """The rules that are found, by file."""
    argv = [str(find_program("ruff")), "check", "--isolated", "--no-cache", "--select", select]
    argv += ["--config", "lint.mccabe.max-complexity=2", "--output-format", "json", "--target-version", "py311", "."]
    done = subprocess.run(argv, cwd=root, capture_output=True, check=False, text=True)
    found: dict[str, set[str]] = {}
    for one in json.loads(done.stdout):
        found.setdefault(Path(one["filename"]).name, set()).add(one["code"] or "invalid-syntax")
    return found


def test_mypy_finds_the_code_before_and_nothing_after(tmp_path: Path) -> None:
    files = [file for file in FILES if file.parent.name == "mypy"]
    for file in files:
        _, before, after = parts(file)
        name = file.stem.replace("-", "_")
        (tmp_path / f"{name}_before.py").write_text(before)
        (tmp_path / f"{name}_after.py").write_text(after)
    argv = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-error-summary",
        "--config-file=",
        "--cache-dir=/dev/null",
        ".",
    ]
    told = subprocess.run(argv, cwd=tmp_path, capture_output=True, check=False, text=True).stdout
    found: dict[str, set[str]] = {}
    for line in told.splitlines():
        if match := re.match(r"(\w+\.py):\d+: error: .*\[([\w-]+)\]$", line):
            found.setdefault(match[1], set()).add(match[2])
    for file in files:
        name = file.stem.replace("-", "_")
        assert file.stem in found.get(f"{name}_before.py", set()), f"{file.stem}: {found.get(f'{name}_before.py')}"
        assert f"{name}_after.py" not in found, f"{file.stem}: {found[f'{name}_after.py']}"


def test_advice_is_found_by_checker_and_rule() -> None:
    advice = advice_on([("ruff", "F401"), ("mypy", "arg-type"), ("pylint", "F401"), ("ruff", "XYZ999")])
    assert set(advice.ours) == {"F401", "arg-type"}
    assert advice.own == {}


def test_a_projects_advice_replaces_ours_and_adds_to_it(tmp_path: Path) -> None:
    for name, text in {"ruff/F401": "Ask first.\n", "eslint/no-unused-vars": "Take it away."}.items():
        file = tmp_path / FOLDER / f"{name}.md"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    advice = advice_on([("ruff", "F401"), ("ruff", "E722"), ("eslint", "no-unused-vars")], tmp_path)
    assert advice.own == {"F401": "Ask first.", "no-unused-vars": "Take it away."}
    assert set(advice.ours) == {"E722"}


@pytest.mark.parametrize("rule", ["../../secret", "/etc/passwd", "..", "a/../../../secret", "", "a\0b", "x" * 5_000])
def test_no_rule_leads_out_of_the_folder(tmp_path: Path, rule: str) -> None:
    root = tmp_path / "root"
    (root / FOLDER / "ruff").mkdir(parents=True)
    (tmp_path / "secret.md").write_text("secret")
    (root / "secret.md").write_text("secret")
    advice = advice_on([("ruff", rule), (rule, "F401")], root)
    assert advice.own == {}
    assert advice.ours == {}


def test_a_link_out_of_the_repository_is_not_read_and_length_is_bounded(tmp_path: Path) -> None:
    folder = tmp_path / "root" / FOLDER / "ruff"
    folder.mkdir(parents=True)
    (tmp_path / "secret.md").write_text("secret")
    (folder / "F401.md").symlink_to(tmp_path / "secret.md")
    (folder / "E722.md").write_text("x" * 100_000)
    advice = advice_on([("ruff", "F401"), ("ruff", "E722")], tmp_path / "root")
    assert set(advice.own) == {"E722"}
    assert len(advice.own["E722"]) == MAX_CHARS
    assert "F401" in advice.ours


def test_a_link_to_what_is_in_the_checkout_alone_is_not_read(tmp_path: Path) -> None:
    folder = tmp_path / FOLDER / "ruff"
    folder.mkdir(parents=True)
    (tmp_path / ".env").write_text("secret")
    (folder / "F401.md").symlink_to("../../../.env")
    assert advice_on([("ruff", "F401")], tmp_path).own == {}


def test_rules_of_other_checkers_that_mean_the_same_have_the_same_advice() -> None:
    alike = tomllib.loads((FILES[0].parents[1] / "alike.toml").read_text())
    for checker, rules in alike.items():
        for rule, name in rules.items():
            same = advice_on([tuple(name.split("/"))]).ours
            assert list(advice_on([(checker, rule)]).ours.values()) == list(same.values()) != []
    assert advice_on([("basedpyright", "reportOptionalMemberAccess")]).ours.keys() == {"reportOptionalMemberAccess"}


@pytest.mark.parametrize("checker", ["pylint", "ty"])
def test_other_checkers_do_call_their_rules_so(tmp_path: Path, checker: str) -> None:
    alike = tomllib.loads((FILES[0].parents[1] / "alike.toml").read_text())[checker]
    for file in FILES:
        (tmp_path / f"{file.parent.name}_{file.stem.replace('-', '_')}.py").write_text(parts(file)[1])
    formats = {"pylint": ["--output-format=json", "--enable=all"], "ty": ["check", "--output-format=gitlab"]}
    argv = [str(find_program(checker)), *formats[checker], *sorted(path.name for path in tmp_path.glob("*.py"))]
    told = json.loads(subprocess.run(argv, cwd=tmp_path, capture_output=True, check=False).stdout)
    found = {
        (one["symbol"], one["path"]) if checker == "pylint" else (one["check_name"], one["location"]["path"])
        for one in told
    }
    # Newer versions may call some of them otherwise.
    confirmed = {
        rule for rule, name in alike.items() if (rule, name.replace("/", "_").replace("-", "_") + ".py") in found
    }
    assert len(confirmed) >= 6, sorted(set(alike) - confirmed)
