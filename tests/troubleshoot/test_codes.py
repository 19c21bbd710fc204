"""Which codes a text mentions."""

from __future__ import annotations

import pytest

from fanfold.troubleshoot.codes import codes_in


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("Job BATCH001 falhou com ABEND S0C7", ("S0C7",)),
        ("IEF450I BATCH001 STEP1 - ABEND=S0C7 U0000 REASON=00000000", ("IEF450I", "S0C7")),
        ("IEF450I BATCH001 STEP1 - ABEND=S000 U4038 REASON=00000001", ("IEF450I", "U4038")),
        ("abend 0c7", ("S0C7",)),
        ("SYSTEM COMPLETION CODE=0C7  REASON CODE=00000000", ("S0C7",)),
        ("COMPLETION CODE - SYSTEM=000 USER=4038", ("U4038",)),
        ("s322, then sB37-04", ("S322", "SB37")),
        ("ABEND S001-4", ("S001",)),
        ("= Exit Status           : 127", ("RC=127",)),
        ("process exited with code 137 (signal 9)", ("RC=137", "SIGKILL")),
        ("rc: -1", ("RC=-1",)),
        ("COND CODE 0012", ("RC=12",)),
        ("maxcc=0008", ("RC=8",)),
        ("terminou com código de retorno 16", ("RC=16",)),
        ("o job terminou com código 5", ("RC=5",)),
        ("status de saída: 3", ("RC=3",)),
        ("ORA-1017: invalid username", ("ORA-01017",)),
        ("SQLCODE = -911, SQLSTATE 57033", ("SQLCODE=-911", "SQLSTATE=57033")),
        ("SQL0911N and DSNT408I", ("SQL0911N", "DSNT408I")),
        ("HTTP/1.1 503 Service Unavailable", ("HTTP=503",)),
        ("file status 35", ("FS=35",)),
        ("AWSBIS308I End of job, EQQE026I, awsbin076e", ("AWSBIS308I", "EQQE026I", "AWSBIN076E")),
        ("write: ENOSPC", ("ENOSPC",)),
    ],
)
def test_a_code_is_found_in_its_one_spelling(text: str, codes: tuple[str, ...]) -> None:
    assert codes_in(text) == codes


@pytest.mark.parametrize(
    "text",
    [
        "a sede sabe: hash S256 on S390, step S010 of S001",
        "return code 0, RC=0000, exit status 0, S000 U0000",
        "returned 12 rows, exited 3 times, rc 4.5, src/rc2.conf, exit code 0x1f",
        "U+0041 and FU1234X",
        "HTTP/1.1 200 OK",
        "file status 00",
    ],
)
def test_what_only_looks_like_a_code_is_none(text: str) -> None:
    assert codes_in(text) == ()


def test_each_code_stands_once_in_order_of_appearance() -> None:
    assert codes_in("RC=12 after S0C7, again S0C7, rc 12, ORA-00942") == ("RC=12", "S0C7", "ORA-00942")
