"""Cheats that the gates refuse, and honest changes of like shape that they let through: one file each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from fanfold.fix import gates
from fanfold.fix.findings.finding import Finding
from fanfold.fix.findings.split import is_test

CORPUS = Path(__file__).parent / "corpus"


@dataclass(frozen=True)
class Case:
    """A change with what was found before it; `gate` is the one that has to refuse it."""

    edit: gates.Edit
    gate: str


def read(file: Path) -> Case:
    head, _, texts = file.read_text(encoding="utf-8").partition("===== before\n")
    before, _, after = texts.partition("===== after\n")
    fields = [line.partition(": ") for line in head.splitlines()]
    path = next(value for name, _, value in fields if name == "path")
    gate = next((value for name, _, value in fields if name == "gate"), "")
    findings = tuple(finding(path, value) for name, _, value in fields if name == "finding")
    return Case(gates.Edit(path, before.encode(), after.encode(), findings, is_test(path)), gate)


def finding(path: str, words: str) -> Finding:
    line, checker, rule, *message = words.split(" ", 3)
    return Finding(path, int(line), 1, checker, rule, "".join(message))


def files(kind: str) -> list[Path]:
    return sorted((CORPUS / kind).glob("*.txt"))


def reasons(case: Case) -> tuple[str, ...]:
    return gates.refusals(case.edit) + gates.late_refusals(case.edit)


@pytest.mark.parametrize("file", files("cheats"), ids=lambda file: file.stem)
def test_cheat_is_refused(file: Path) -> None:
    case = read(file)
    assert any(reason.endswith(f"(gate {case.gate})") for reason in reasons(case)), reasons(case)


@pytest.mark.parametrize("file", files("honest"), ids=lambda file: file.stem)
def test_honest_change_passes(file: Path) -> None:
    assert reasons(read(file)) == ()


@pytest.mark.parametrize("file", files("cheats"), ids=lambda file: file.stem)
def test_cheat_passes_where_the_gates_that_refuse_it_are_open(file: Path) -> None:
    case = read(file)
    policy = gates.Policy(allow=frozenset(gates.NAMES))
    assert gates.refusals(case.edit, policy) + gates.late_refusals(case.edit, policy) == ()


def test_corpus_is_large_and_knows_every_gate() -> None:
    assert len(files("cheats")) >= 40
    assert len(files("honest")) >= 60
    assert {read(file).gate for file in files("cheats")} >= set(gates.NAMES) - {gates.SIZE}
