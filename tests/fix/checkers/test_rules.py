"""What a rule selector means."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from fanfold.fix.checkers.rules import matches, owner_and_rule, rules_for
from fanfold.fix.findings.finding import Finding
from fanfold.process import find_program, run


def finding(rule: str, checker: str = "ruff") -> Finding:
    return Finding("a.py", 1, 1, checker, rule, "m")


@pytest.mark.parametrize(
    ("selector", "rule", "checker", "expected"),
    [
        ("ALL", "F401", "ruff", True),
        ("ALL", "arg-type", "mypy", True),
        ("F", "F401", "ruff", True),
        ("F", "FURB101", "ruff", False),
        ("F4", "F401", "ruff", True),
        ("F40", "F501", "ruff", False),
        ("F401", "F401", "ruff", True),
        ("F401", "F4011", "ruff", True),
        ("PL", "PLR2004", "ruff", True),
        ("PLR", "PLW0603", "ruff", False),
        ("S", "SIM101", "ruff", False),
        ("B1", "B101", "bandit", True),
        ("ruff", "F401", "ruff", True),
        ("ruff", "F401", "other", False),
        ("ruff:F", "F401", "ruff", True),
        ("ruff:F", "F401", "other", False),
        ("ruff:ALL", "F401", "ruff", True),
        ("ruff:", "F401", "ruff", True),
        ("mypy:arg-type", "arg-type", "mypy", True),
        ("arg-type", "arg-type", "mypy", True),
        ("arg", "arg-type", "mypy", True),
        ("ar", "arg-type", "mypy", False),
        ("mypy", "arg-type", "mypy", True),
        ("py/", "py/unused", "codeql", True),
        ("CA1000", "CA1000/1", "x", True),
        ("invalid-syntax", "invalid-syntax", "ruff", True),
        ("F", "invalid-syntax", "ruff", False),
    ],
)
def test_selector_means_a_finding(selector: str, rule: str, checker: str, expected: bool) -> None:
    assert matches(finding(rule, checker), selector) is expected


@pytest.mark.parametrize("selector", ["A", "C", "C4", "C90", "D", "D2", "E", "E7", "F", "I", "N", "PL", "PLR", "PLR09"])
async def test_prefixes_mean_what_they_mean_to_ruff(selector: str, tmp_path: Path) -> None:
    everything = await enabled("ALL", tmp_path)
    assert await enabled(selector, tmp_path) == {code for code in everything if matches(finding(code), selector)}


async def enabled(selector: str, folder: Path) -> set[str]:
    ruff = find_program("ruff")
    assert ruff
    argv = [str(ruff), "check", "--isolated", "--preview", "--show-settings", "--select", selector]
    (folder / "a.py").touch()
    listed = (await run([*argv, "a.py"], cwd=folder)).stdout.decode()
    rules = listed.partition("linter.rules.enabled = [")[2].partition("]")[0]
    codes = set(re.findall(r"\(([A-Z]+\d+)\)", rules))
    known = json.loads((await run([ruff, "rule", "--all", "--output-format", "json"])).stdout)
    return codes & {rule["code"] for rule in known}


@pytest.mark.parametrize(
    ("selector", "asked"),
    [
        ("ALL", ("ruff", "ALL")),
        ("F4", ("ruff", "F4")),
        ("f401", ("ruff", "f401")),
        ("ruff", ("ruff", "")),
        ("ruff:ALL", ("ruff", "ALL")),
        ("mypy:ALL", ("mypy", "")),
        ("arg-type", ("mypy", "arg-type")),
        ("bandit:B101", ("bandit", "B101")),
        ("py/unused", (None, "py/unused")),
    ],
)
def test_selector_asks_one_checker(selector: str, asked: tuple[str | None, str]) -> None:
    assert owner_and_rule(selector) == asked


def test_rules_are_told_once_without_their_checker() -> None:
    selectors = ("F4", "ruff:F4", "mypy:misc", "ruff", "E", "bandit:B101")
    assert rules_for("ruff", selectors) == ("F4", "E")
    assert rules_for("mypy", selectors) == ("misc",)
