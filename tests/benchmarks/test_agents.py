from __future__ import annotations

import json
from collections import Counter

import pytest

import agents

BASE = Counter({("a.py", "ruff", "B006"): 2, ("a.py", "mypy", "misc"): 1, ("b.py", "ruff", "B006"): 1})


def test_the_frozen_set_is_as_large_as_it_says() -> None:
    findings = json.loads(agents.FROZEN.read_text())["findings"]
    assert set(findings) == {part.package for part in agents.PARTS}
    kinds = [kind for package in findings.values() for kind in package]
    assert sum(count for *_, count in kinds) == 238
    assert len({rule for _, _, rule, _ in kinds}) == 48
    assert {checker for _, checker, _, _ in kinds} == {"ruff", "mypy"}


def test_the_frozen_set_holds_what_its_parts_select() -> None:
    for part in agents.PARTS:
        for path, checker, rule in agents._frozen(part.package):
            assert path in part.paths
            assert rule in (part.codes if checker == "mypy" else part.rules)


@pytest.mark.parametrize(
    ("change", "is_less"),
    [
        ({("a.py", "ruff", "B006"): -1}, True),
        ({("a.py", "ruff", "B006"): -2, ("a.py", "mypy", "misc"): -1}, True),
        ({}, False),
        ({("b.py", "ruff", "B006"): -1}, False),
        ({("a.py", "ruff", "B006"): -2, ("a.py", "mypy", "misc"): 1}, False),
        ({("a.py", "ruff", "B006"): -2, ("a.py", "ruff", "E722"): 1}, False),
    ],
)
def test_a_file_that_landed_has_less_of_something_and_more_of_nothing(
    change: dict[agents.Kind, int], is_less: bool
) -> None:
    after = BASE.copy()
    after.update(change)
    assert agents._less("a.py", BASE, +after) is is_less


def test_a_false_success_is_told_by_name() -> None:
    rows = [agents.Row("one", 10, fixed=5, files=2, landed=2, false=["a.py"], tests=7), agents.Row("two", 0)]
    told = agents._told(rows, ["autofix"])
    assert "| all | 10 | 5 | 50% | 2 | 2 | 1 | 7 | 0 |" in told
    assert "- one: a.py" in told
