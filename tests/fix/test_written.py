"""What a run of tests leaves in place of its reports can't hold us up, or end us."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from fanfold.fix.guard.reports import read_reports
from fanfold.fix.suite.failures import Failures
from fanfold.fix.suite.junit import JUnitError, read_cases
from fanfold.fix.written import opened

FAILED = (
    b'{"step":"failed","case":"a","when":"call","type":"E","message":"m","place":["a.py",1],"frames":[],"calls":[]}\n'
)


def pipe(path: Path, content: bytes) -> Path:
    """One that gives its content to whoever reads it."""

    def give() -> None:
        with contextlib.suppress(OSError):
            path.write_bytes(content)

    os.mkfifo(path)
    threading.Thread(target=give, daemon=True).start()
    return path


def link(path: Path, content: bytes) -> Path:
    target = path.parent.parent / "elsewhere"
    target.write_bytes(content)
    path.symlink_to(target)
    return path


def folder(path: Path, content: bytes) -> Path:
    path.mkdir()
    (path / "file").write_bytes(content)
    return path


@pytest.mark.parametrize("odd", [pipe, link, folder])
async def test_only_files_are_read(tmp_path: Path, odd: Callable[[Path, bytes], Path]) -> None:
    for name in ("failures", "reports", "junit"):
        (tmp_path / name).mkdir()
    odd(tmp_path / "failures" / "1", FAILED)
    odd(tmp_path / "reports" / "1", b"session=1\0workspace=3")
    report = odd(tmp_path / "junit" / "junit.xml", b"<testsuite/>")
    failures = Failures()
    await failures.read(tmp_path)
    assert failures.found == {}
    assert read_reports(tmp_path).processes == ()
    with pytest.raises(JUnitError, match="there is no test report"):
        read_cases(report)
    with pytest.raises(OSError, match=r"regular|symbolic|links"):
        opened(report)


@pytest.mark.parametrize(
    "line", [b"[" * 100_000, FAILED.replace(b",1]", b",1e999]"), FAILED.replace(b'"a.py",1', b""), b"9" * 5_000]
)
async def test_lines_that_are_no_failure_are_gone_past(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "failures").mkdir()
    (tmp_path / "failures" / "1").write_bytes(line + b"\n" + FAILED)
    failures = Failures()
    await failures.read(tmp_path)
    assert list(failures.found) == [("a", "call")]


@pytest.mark.parametrize("count", [b"x", b"-1", b"9" * 5_000, "²".encode()])
def test_a_count_that_is_none_is_nothing(tmp_path: Path, count: bytes) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "1").write_bytes(b"session=1\0workspace=" + count)
    assert read_reports(tmp_path).workspace == 0
