"""README and docs are run: each `console` block as a shell session, each `python` block as code.

Blocks of one document share a directory, in which `docs/example` is what it is in the checkout. Output is compared
line by line; what differs from run to run (times, ids, versions) is compared by kind, and `...` alone on a line
stands for any number of lines.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

from fanfold.config import FixSettings

WORK_REMAINS = 1
ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
RUN = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")
VOLATILE = (
    (RUN, "<run>"),
    (re.compile(r"(/[\w.+@-]+)+/(?=python3?\b)"), ""),
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d\S*)?"), "<when>"),
    (re.compile(r"\b[0-9a-f]{7,40}\b"), "<commit>"),
    (re.compile(r"\d+(\.\d+)? ?(ms|s|min|h|seconds|times)(?=\W|$)"), "<time>"),
    (re.compile(r"\b\d+\.\d+\.\d+\b"), "<version>"),
    (re.compile(r"speed-up \d+\.\d"), "<speed-up>"),
    (re.compile(r"\(\d+ runs, "), "(<runs>, "),
    (re.compile(r"\d+\.\d+ [KM]iB"), "<size>"),
    (re.compile(r"\d+ working copies"), "<number> working copies"),
    (re.compile(r"[ \t]+"), " "),
    (re.compile(r"[─━-]{2,}"), "<line>"),
)


@dataclass(frozen=True)
class Step:
    """A command of a session and the lines that the document shows after it."""

    command: str
    shown: tuple[str, ...]


class Session:
    """A shell that keeps its directory and last exit status between the blocks of a document."""

    def __init__(self, directory: Path, home: Path, *, runtime: str) -> None:
        self.directory, self.status = directory, 0
        self.home, self.runs = home, dict[str, str]()
        self.environment = os.environ | {
            "HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "VIRTUAL_ENV": sys.prefix,
            "COLUMNS": "100",
            "NO_COLOR": "1",
            "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
            "FANFOLD_FIX_RUNTIME": runtime,
        }

    def run(self, command: str) -> list[str]:
        """What the command writes: its standard output and, where it fails, what it says of that.

        Progress is left out; on a terminal it goes away by itself. A run that the document named before is called
        by the name that it has here.
        """
        command = RUN.sub(lambda name: self.runs.get(name[0], name[0]), command)
        done = subprocess.run(
            ["bash", "-c", f'(exit {self.status})\n{command}\nstatus=$?; pwd >"$HOME/directory"; exit $status'],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        self.status = done.returncode
        self.directory = Path((Path(self.environment["HOME"]) / "directory").read_text().strip())
        said = done.stdout + (done.stderr if done.returncode > WORK_REMAINS else "")
        return said.replace(str(self.home), "/home/ada").splitlines()

    def evaluate(self, example: Example) -> str | None:
        """Run one block; what differs from the document, None = nothing."""
        for step in steps(str(example.parsed)):
            written = self.run(step.command)
            self.runs |= zip(RUN.findall("\n".join(step.shown)), RUN.findall("\n".join(written)), strict=False)
            if not matches(step.shown, written):
                return "\n".join([f"$ {step.command}", "writes", *written, "and the document shows", *step.shown])
        return None


def steps(block: str) -> Iterator[Step]:
    """Split a session at its prompts; a command goes on over lines that start with `> `."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        lines = part.rstrip("\n").split("\n")
        more = next((n for n, line in enumerate(lines[1:], 1) if not line.startswith("> ")), len(lines))
        command = "\n".join([lines[0], *(line.removeprefix("> ") for line in lines[1:more])])
        yield Step(command, tuple(lines[more:]))


def matches(shown: Sequence[str], written: Sequence[str]) -> bool:
    """Whether a document shows what was written, up to volatile parts and `...` lines; blank lines don't count."""
    pattern = "".join(".*" if line.strip() == "..." else re.escape(f"{line}\n") for line in _normal(shown))
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in _normal(written)), re.DOTALL) is not None


def _normal(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        for pattern, kind in VOLATILE:
            line = pattern.sub(kind, line)  # noqa: PLW2901
        if line.strip():
            yield line.strip()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_code_blocks_do_what_the_document_shows(
    document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = tmp_path / "fanfold"
    shutil.copytree(ROOT / "docs" / "example", checkout / "docs" / "example")
    home = tmp_path / "home"
    home.mkdir()
    (home / "gitconfig").write_text("[user]\n\tname = Ada\n\temail = ada@example.com\n[init]\n\tdefaultBranch = main\n")
    # All shows the same on either; the first thing that a reader types is done as by default.
    session = Session(checkout, home, runtime="auto" if document.name == "README.md" else "native")
    monkeypatch.chdir(checkout)  # blocks write files, too
    sybil = Sybil([CodeBlockParser(language="console", evaluator=session.evaluate), PythonCodeBlockParser()])
    for example in sybil.parse(document).examples():
        example.evaluate()


def test_every_setting_is_explained() -> None:
    settings = (ROOT / "docs" / "cli.md").read_text().partition("## Settings")[2]
    explained = re.findall(r"^\| `(\w+)` ", settings, flags=re.MULTILINE)
    assert explained == list(FixSettings.model_fields)


def test_output_that_differs_is_noticed() -> None:
    assert matches(["fixed 3 in 1.2 s", "...", "end"], ["fixed 3 in 11.0 s", "a", "b", "end"])
    assert not matches(["fixed 3 in 1.2 s"], ["fixed 4 in 1.2 s"])
    assert not matches(["a"], ["a", "b"])


@pytest.mark.parametrize(
    "document", [*DOCUMENTS, *sorted((ROOT / "docs" / "decisions").glob("*.md"))], ids=lambda path: path.name
)
def test_links_lead_to_files(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text())
    missing = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert not missing
