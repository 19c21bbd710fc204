"""Lines that look as if something went wrong, and lines that don't."""

from __future__ import annotations

import pytest

from fanfold.troubleshoot.sources.telling import is_telling


@pytest.mark.parametrize(
    "line",
    [
        "bash: foo: command not found",
        "ORA-00942: table or view",
        "Arquivo não encontrado: /in/a.csv",
        "sem espaço no dispositivo",
        "conexão recusada pelo servidor",
        "java.lang.OutOfMemoryError: Java heap space - fatal",
        "Tempo limite excedido: timeout",
        "process ended with rc=12",
    ],
)
def test_a_line_that_says_what_went_wrong_is_telling(line: str) -> None:
    assert is_telling(line)


@pytest.mark.parametrize("line", ["no errors found", "0 erros", "terror movies loaded", "processed 12 of 12", "rc=0"])
def test_a_line_in_which_nothing_went_wrong_is_not(line: str) -> None:
    assert not is_telling(line)
