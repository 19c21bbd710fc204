"""Assignments on a file in a temporary folder, judged by real ruff."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fanfold.agents import AgentSettings, Assignment, Verdict
from fanfold.fix.findings.finding import Finding
from fanfold.process import find_program


@dataclass
class Bench:
    """One file to fix. `judge` may be replaced; `judged` has the text of every verification."""

    root: Path
    path: str
    command: tuple[str, ...]
    scratch: Path
    judge: Callable[[], Verdict] | None = None
    judged: list[bytes] = field(default_factory=list)
    base: bytes = b""

    def __post_init__(self) -> None:
        if self.file.is_file():
            self.base = self.file.read_bytes()
            self._found = self.findings()

    @property
    def file(self) -> Path:
        return self.root / self.path

    @property
    def text(self) -> str:
        return self.file.read_bytes().decode()

    def findings(self) -> list[Finding]:
        done = subprocess.run([*self.command, "--", self.path], cwd=self.root, capture_output=True, check=False)
        return [_finding(self.path, one) for one in json.loads(done.stdout)]

    def rules(self) -> Counter[str]:
        return Counter(finding.rule for finding in self.findings())

    async def verify(self) -> Verdict:
        self.judged.append(self.file.read_bytes())
        return (self.judge or self.compare)()

    def compare(self) -> Verdict:
        """A rule may not have more findings than before; the new ones are those on lines that had none."""
        now = self.findings()
        before, after = Counter(one.rule for one in self._found), Counter(one.rule for one in now)
        lines, base_lines = self.text.splitlines(), self.base.decode().splitlines()
        old = {(one.rule, base_lines[one.line - 1]) for one in self._found if one.line <= len(base_lines)}
        worse = after - before
        added = [one for one in now if one.rule in worse and (one.rule, lines[one.line - 1]) not in old]
        fixed = sum((before - after).values())
        return Verdict(
            ok=fixed > 0 and not added,
            reasons=tuple(f"adds {one.rule}" for one in added),
            fixed=fixed,
            left=len(self._found) - fixed,
            added=tuple(added),
        )

    def assignment(self, **changes: Any) -> Assignment:
        found = tuple(self.findings()) if self.file.exists() else ()
        prompt = "".join(f"- line {one.line}, column {one.column}: ruff {one.rule}: {one.message}\n" for one in found)
        plain = Assignment(
            root=self.root,
            path=self.path,
            findings=found,
            prompt=prompt,
            scratch=self.scratch,
            verify=self.verify,
            commands={"ruff": self.command},
        )
        return replace(plain, **changes)

    def fixed_by_ruff(self, tmp_path: Path) -> bytes:
        """What ruff makes of the base by itself."""
        copy = tmp_path / "copy" / self.path
        copy.parent.mkdir()
        for name in ("ruff.toml",):
            (copy.parent / name).write_bytes((self.root / name).read_bytes())
        copy.write_bytes(self.base)
        argv = [*self.command, "--fix-only", "--unsafe-fixes", "--", self.path]
        subprocess.run(argv, cwd=copy.parent, capture_output=True, check=True)
        return copy.read_bytes()


def _finding(path: str, one: Mapping[str, Any]) -> Finding:
    place = one["location"]
    return Finding(path, place["row"], place["column"], "ruff", one["code"], one["message"])


MakeBench = Callable[..., Bench]


@pytest.fixture
def ruff() -> str:
    return str(find_program("ruff"))


@pytest.fixture
def make_bench(tmp_path: Path, ruff: str) -> MakeBench:
    """A bench for a file's content, with ruff's `select` and more lines for its configuration."""

    def make(
        content: str | bytes, *, select: tuple[str, ...] = ("F", "E", "UP"), lint: str = "", path: str = "module.py"
    ) -> Bench:
        root, scratch = tmp_path / "root", tmp_path / "scratch"
        root.mkdir()
        scratch.mkdir()
        (root / "ruff.toml").write_text(f'target-version = "py311"\n[lint]\nselect = {json.dumps(select)}\n{lint}\n')
        (root / path).write_bytes(content.encode() if isinstance(content, str) else content)
        command = (ruff, "check", "--output-format", "json", "--no-cache", "--force-exclude")
        return Bench(root, path, command, scratch)

    return make


@pytest.fixture
def make_settings() -> Callable[..., AgentSettings]:
    """What an agent is made of, with a minute for an attempt."""
    return partial(AgentSettings, deadline_s=60.0)


@pytest.fixture
def python() -> str:
    return sys.executable
