"""A finding whose cause lies in another file: a model fixes it there, as a user runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fanfold.config import load_settings
from fanfold.fix import Report, Request, run
from fanfold.testing.model_server import ModelServer, Reply, Requested, without_forms
from fanfold.testing.repositories import TemporaryRepository, make_repository

WORDS = "def greet(name: str) -> str:\n    return name\n"
LOUD = "def greet(name: str, *, loud: bool = False) -> str:\n    return name.upper() if loud else name\n"
APP = 'from shop.words import greet\n\n\ndef main() -> str:\n    return greet("a", loud=True)\n'
TIDY = APP.replace('"a"', '"b"')
WIDER = {"name": "greet", "code": LOUD, "path": "shop/words.py"}
ANOTHER_NAME = {"search": 'greet("a", loud=True)', "replace": 'greet("b", loud=True)'}
IN_WORDS = f"<<<<<<< DEFINITION greet shop/words.py\n=======\n{LOUD}>>>>>>> REPLACE\n"


async def fixed(tmp_path: Path, script: Any, **options: Any) -> tuple[TemporaryRepository, Report, ModelServer]:
    async with ModelServer(script) as server:
        agent = {"model": "scripted", "base_url": server.url, **options}
        repository = make_repository(
            tmp_path / "shop",
            {
                "pyproject.toml": '[tool.mypy]\nstrict = true\nfiles = ["shop"]\n',
                "shop/__init__.py": "",
                "shop/words.py": WORDS,
                "shop/app.py": APP,
            },
        )
        told = {"workspaces": tmp_path / "workspaces", "state": tmp_path / "state", "tests": "none", "learn": False}
        settings = load_settings(
            repository.root,
            {**told, "checks": ("mypy",), "agent": ("llm",), "agents": {"llm": agent}, "max_attempts": 2},
        )
        return repository, await run(Request(repository.root, settings)), server


def at(repository: TemporaryRepository, report: Report, path: str) -> str:
    return repository.git("show", f"{report.branch}:{path}")


async def test_a_finding_is_fixed_where_its_cause_lies(tmp_path: Path) -> None:
    repository, report, server = await fixed(tmp_path, [Reply(output={"definitions": [WIDER]})])
    assert [(line.path, line.status, line.fixed) for line in report.tasks] == [("shop/app.py", "fixed", 1)]
    assert report.tasks[0].others == ("shop/words.py",)
    assert (at(repository, report, "shop/words.py"), at(repository, report, "shop/app.py")) == (LOUD, APP)
    [request] = server.requests
    shown = request.text.partition("code of 'shop/words.py', which may be changed, too")[2]
    assert "    1 | def greet(name: str) -> str:\n" in shown.partition("----- end")[0]


async def test_an_answer_in_words_names_the_file_too(tmp_path: Path) -> None:
    repository, report, server = await fixed(tmp_path, without_forms(lambda _: Reply(text=IN_WORDS)))
    assert at(repository, report, "shop/words.py") == LOUD
    assert [request.knows_forms for request in server.requests] == [True, False]


async def test_edits_of_both_files_are_one_change(tmp_path: Path) -> None:
    both = {"definitions": [WIDER], "replacements": [ANOTHER_NAME]}
    repository, report, _ = await fixed(tmp_path, [Reply(output=both)])
    assert (at(repository, report, "shop/words.py"), at(repository, report, "shop/app.py")) == (LOUD, TIDY)


async def test_nothing_is_written_in_either_file_while_one_edit_is_wrong(tmp_path: Path) -> None:
    not_there = {"definitions": [WIDER], "replacements": [{"search": "no such text", "replace": ""}]}
    no_python = {"definitions": [WIDER, {"name": "main", "code": "def main(", "path": "shop/app.py"}]}
    third_file = {"replacements": [{"search": "", "replace": "", "path": "shop/__init__.py"}]}
    answers: list[Any] = [not_there, no_python, third_file, {"definitions": [WIDER]}]
    seen: list[str] = []

    def script(_: Requested) -> Reply:
        seen.extend(file.read_text() for file in (tmp_path / "workspaces").rglob("shop/words.py"))
        return Reply(output=answers.pop(0))

    repository, report, _ = await fixed(tmp_path, script)
    assert not answers
    assert set(seen) == {WORDS}
    assert at(repository, report, "shop/words.py") == LOUD


async def test_a_small_model_is_asked_about_the_file_of_the_finding_alone(tmp_path: Path) -> None:
    _, report, server = await fixed(tmp_path, lambda _: Reply(text="I don't know."), small=True, max_requests=1)
    assert report.branch is None
    assert "def greet(name: str) -> str:\n    return name\n" not in server.requests[0].text
