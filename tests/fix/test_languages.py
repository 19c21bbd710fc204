"""Code that isn't Python: found by a real checker of its own through SARIF, fixed, verified and landed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from fanfold.config import load_settings
from fanfold.fix import Report, Request, run
from fanfold.process import find_program
from fanfold.testing.repositories import TemporaryRepository, make_repository

CART = """\
export function total(prices) {
  debugger;
  let sum = 0;
  for (const price of prices) {
    sum += price;
  }
  return sum;
}

export function isOdd(price) {
  return price === NaN;
}
"""
WITHOUT = CART.replace("  debugger;\n", "")
SILENCED = CART.replace("  debugger;", "  // eslint-disable-next-line no-debugger\n  debugger;")
ELSEWHERE = "export const ONE = 1;\n"

pytestmark = pytest.mark.skipif(find_program("oxlint") is None, reason="oxlint is not installed")


@pytest.fixture
def repository(tmp_path: Path) -> TemporaryRepository:
    return make_repository(tmp_path / "r", {"web/cart.js": CART, "web/one.ts": ELSEWHERE, "README.md": "# Shop\n"})


async def fix(repository: TemporaryRepository, tmp_path: Path, texts: Mapping[str, str], check: str) -> Report:
    """Run `fanfold fix` with a program that leaves these texts."""
    program = tmp_path / "agent.py"
    written = "".join(f"pathlib.Path({path!r}).write_text({text!r})\n" for path, text in texts.items())
    program.write_text(f"import pathlib\n{written}")
    told = {"workspaces": tmp_path / "home", "state": tmp_path / "state", "checks": (check,), "max_attempts": 1}
    command = ("python3", str(program))
    settings = load_settings(repository.root, {**told, "agent_command": command, "sandbox": "none"})
    return await run(Request(repository.root, settings))


@pytest.mark.parametrize("command", ["oxlint --format=sarif .", "oxlint --format=sarif {files:*.js,*.ts}"])
async def test_finding_in_javascript_is_fixed_and_lands(
    repository: TemporaryRepository, tmp_path: Path, command: str
) -> None:
    report = await fix(repository, tmp_path, {"web/cart.js": WITHOUT}, f"oxlint={command}")
    assert [(task.path, task.status, task.fixed, task.left) for task in report.tasks] == [
        ("web/cart.js", "partial", 1, 1)
    ]
    assert [(rule.rule, rule.before, rule.after) for rule in report.rules] == [
        ("eslint(no-debugger)", 1, 0),
        ("eslint(use-isnan)", 1, 1),
    ]
    assert repository.git("show", f"{report.branch}:web/cart.js") == WITHOUT
    assert report.checkers[0].version is not None


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        ({"web/cart.js": SILENCED}, "silences a checker"),
        ({"web/cart.js": WITHOUT + "debugger;\n"}, ""),
        ({"web/cart.js": WITHOUT + "function (\n"}, ""),
        ({"web/cart.js": WITHOUT, "web/one.ts": ""}, "which is not its file"),
    ],
)
async def test_fix_in_javascript_that_is_none_is_refused(
    repository: TemporaryRepository, tmp_path: Path, texts: Mapping[str, str], reason: str
) -> None:
    report = await fix(repository, tmp_path, texts, "oxlint=oxlint --format=sarif .")
    (task,) = report.tasks
    assert task.status in ("refused", "unchanged"), task
    assert report.branch is None
    assert any(reason in one for one in task.reasons or ("",)), task.reasons
