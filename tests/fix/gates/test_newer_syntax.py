"""Gates see through what Python says in another way since 3.11."""

from __future__ import annotations

import sys

import pytest

from fanfold.fix import gates

BEFORE = "def f(x: int) -> int:\n    return abs(x)\n"


def refused(before: str, after: str) -> str:
    edit = gates.Edit("a.py", before.encode(), after.encode())
    return "\n".join(gates.refusals(edit) + gates.late_refusals(edit))


if sys.version_info >= (3, 12):

    @pytest.mark.parametrize(
        ("before", "after", "reason"),
        [
            ("", "from typing import Any\ndef f[T: Any](x: T) -> T:\n", "says nothing another name: T"),
            ("", "def f[T](x: T) -> T:\n", "x of f with T, which may be anything"),
            ("type Row = int\n", "from typing import Any\ntype Row = Any\n", "says nothing another name: Row"),
        ],
    )
    def test_types_are_not_made_vaguer_by_type_parameters(before: str, after: str, reason: str) -> None:
        body = "" if before else BEFORE.partition("\n")[2]
        assert reason in refused(before or BEFORE, after + body)

    def test_type_variable_may_become_a_type_parameter() -> None:
        before = 'from typing import TypeVar\n\nT = TypeVar("T", bound=int)\n\n\ndef f(x: T) -> T:\n    return x\n'
        assert not refused(before, before.replace("def f(", "def f[T: int]("))


if sys.version_info >= (3, 14):

    def test_errors_without_parentheses_are_seen_to_vanish() -> None:
        after = (
            "def f(x: int) -> int:\n    try:\n        return abs(x)\n    except ValueError, KeyError:\n        pass\n"
        )
        assert "swallows errors" in refused(BEFORE, after)
