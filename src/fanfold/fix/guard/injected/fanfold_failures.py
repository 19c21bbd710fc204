"""PYTEST_DONT_REWRITE Say of each test that fails where it did: a line of JSON for each, beside the guard's reports.

A plugin for pytest on the project's interpreter, 3.8 or later. Whatever goes wrong in here is no failure of the test's.
"""

from __future__ import annotations

import json
import os
import re
import sys

MYPY = False
if MYPY:
    from collections.abc import Iterator
    from types import CodeType, FrameType, TracebackType
    from typing import Any

HOME = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "failures")
MAX_FAILURES = 5_000
MAX_FRAMES = 200
MAX_CALLS = 20
MAX_CHARS = 500
WORD = re.compile(r"[^\W\d]\w*")

_written = 0


def pytest_configure() -> None:
    """Say which pytest this is."""
    _write({"version": getattr(sys.modules.get("pytest"), "__version__", "")})


def pytest_exception_interact(call: Any, report: Any) -> None:
    """Where an exception came from; the test may yet be tried again by another plugin."""
    try:
        error = call.excinfo.value
        if type(error).__name__ == "CollectError":
            error = error.__cause__ or error
        _write({"step": "raised", **_told(report, error, error.__traceback__)})
    except Exception:  # noqa: BLE001 -- a plugin that raises would be taken for a failing suite
        return


def pytest_runtest_logreport(report: Any) -> None:
    """That a test fails; without an exception, too, as one does that was to fail and passes."""
    try:
        if report.failed:
            _write({"step": "failed", **_told(report, None, None)})
    except Exception:  # noqa: BLE001 -- as above
        return


def _told(report: Any, error: BaseException | None, traceback: TracebackType | None) -> dict[str, Any]:
    place = getattr(report, "location", None) or (report.nodeid.split("::")[0], None, "")
    frames = list(_frames(traceback))[-MAX_FRAMES:]
    text = str(error) if error is not None else str(getattr(report, "longrepr", ""))
    mine = [frame for frame, _ in frames if _is_mine(frame.f_code)]
    return {
        "case": report.nodeid,
        "when": getattr(report, "when", "collect"),
        "type": "" if error is None else type(error).__name__,
        "message": (text.strip().splitlines() or [""])[0][:MAX_CHARS],
        "place": [os.path.abspath(place[0]), (place[1] or 0) + 1],
        "frames": [[os.path.abspath(frame.f_code.co_filename), line] for frame, line in frames],
        "calls": list(_calls(mine[-1], _line_of(frames, mine[-1])))[:MAX_CALLS] if mine else [],
    }


def _frames(traceback: TracebackType | None) -> Iterator[tuple[FrameType, int]]:
    while traceback is not None:
        yield traceback.tb_frame, traceback.tb_lineno
        traceback = traceback.tb_next


def _line_of(frames: list[tuple[FrameType, int]], frame: FrameType) -> int:
    return [line for one, line in frames if one is frame][-1]


def _is_mine(code: CodeType) -> bool:
    return os.path.abspath(code.co_filename).startswith(os.getcwd() + os.sep)


def _calls(frame: FrameType, line: int) -> Iterator[list[Any]]:
    """Functions and classes that a function names up to a line, the nearest first, each with its place."""
    import linecache

    seen = set()
    for number in range(line, frame.f_code.co_firstlineno - 1, -1):
        for word in WORD.findall(linecache.getline(frame.f_code.co_filename, number)):
            if word in seen:
                continue
            seen.add(word)
            for value in _values(frame, word):
                place = _place(value)
                if place is not None:
                    yield [*place, word]


def _values(frame: FrameType, word: str) -> Iterator[Any]:
    """What a word may mean in a function: a name, or an attribute of what a name there stands for."""
    names = frame.f_locals, frame.f_globals
    for scope in names:
        if word in scope:
            yield scope[word]
            return
    if word not in frame.f_code.co_names:
        return
    for name in (*frame.f_code.co_varnames, *frame.f_code.co_names):
        for scope in names:
            if name in scope:
                yield from _attribute(scope[name], word)


def _attribute(owner: Any, word: str) -> Iterator[Any]:
    # Looked up without running any of the project's code.
    if isinstance(owner, type(os)):
        kinds: tuple[Any, ...] = (owner,)
    else:
        kinds = (owner if isinstance(owner, type) else type(owner)).__mro__
    for kind in kinds:
        if word in vars(kind):
            yield vars(kind)[word]
            return


def _place(value: Any) -> list[Any] | None:
    for _ in range(20):
        inner = getattr(value, "__wrapped__", None) if callable(value) else None
        inner = inner or getattr(value, "__func__", None) or (value.fget if isinstance(value, property) else None)
        if inner is None:
            break
        value = inner
    if isinstance(value, type):
        made = vars(value).get("__init__")
        file = getattr(sys.modules.get(value.__module__), "__file__", None)
        code = getattr(made, "__code__", None)
        if code is not None and code.co_filename == file:
            return [os.path.abspath(file), code.co_firstlineno]
        return [os.path.abspath(file), 1] if file else None
    code = getattr(value, "__code__", None)
    return [os.path.abspath(code.co_filename), code.co_firstlineno] if code is not None else None


def _write(told: dict[str, Any]) -> None:
    global _written  # noqa: PLW0603 -- the process's own count
    if _written >= MAX_FAILURES:
        return
    _written += 1
    try:
        os.makedirs(HOME, exist_ok=True)
        with open(os.path.join(HOME, str(os.getpid())), "a", encoding="utf-8") as file:
            file.write(json.dumps(told) + "\n")
    except OSError:
        return
