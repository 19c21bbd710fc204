"""A run knows which of a project's advice it will never read."""

from __future__ import annotations

from pathlib import Path

from fanfold.fix.attempts.advised import unread_advice
from fanfold.fix.findings.finding import Finding
from fanfold.process import find_program


async def test_rules_are_known_from_ruff_from_what_was_found_and_from_what_there_is_advice_on(tmp_path: Path) -> None:
    folder = tmp_path / ".fanfold" / "advice"
    for name in ("ruff/F4O1", "ruff/ANN001", "eslint/no_var", "mypy/arg_type", "pyright/reportunusedimport", "pylnt/x"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.md").write_text("Ask first.\n")
    commands = {"ruff": (str(find_program("ruff")), "check"), "eslint": ("eslint",)}
    found = [Finding("a.js", 1, 1, "eslint", "no-var", "m")]
    told = "\n".join(await unread_advice(tmp_path, commands, found))
    assert "did you mean F401?" in told
    assert "did you mean no-var?" in told
    assert "did you mean arg-type?" in told
    assert "did you mean reportUnusedImport?" in told
    assert "did you mean pylint?" in told
    assert told.count("\n") == 4
