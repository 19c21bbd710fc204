# ruff: noqa: PLC0415  what only errors need is imported where they are told: `--help` must start fast
"""The program `fanfold`: run a command and turn however it ends into words and an exit code."""

from __future__ import annotations

import atexit
import errno
import gc
import os
import sys
from collections.abc import Sequence

from fanfold.cli.output import (
    discard,
    flush_or_discard,
    never_fail_to_encode,
    stand_in_for_closed_streams,
    tell,
    visible,
)
from fanfold.errors import FanfoldError

GARBAGE = 200_000
"""After so many new objects garbage is looked for: with the usual 700 it takes a tenth of the start, and finds none."""

EXIT_USAGE = 2
EXIT_BUG = 3
EXIT_INTERRUPTED = 130

SURROUNDINGS = {
    errno.ENOSPC: "make room on the disk; `fanfold clean` removes what earlier runs left",
    errno.EDQUOT: "make room in your quota; `fanfold clean` removes what earlier runs left",
    errno.EACCES: "look at who may write there, or choose another place with --workspaces",
    errno.EPERM: "look at who may write there, or choose another place with --workspaces",
    errno.EROFS: "choose a place that can be written to with --workspaces",
    errno.EMFILE: "raise the limit of open files (`ulimit -n`), or lower --jobs",
    errno.ENFILE: "the system has too many open files; lower --jobs",
    errno.ENOMEM: "free memory, or lower --jobs",
}
"""What the machine can refuse, and what helps; any other OSError is a bug of ours."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `fanfold` with `arguments` (None = the process's own).

    Returns:
        0 = clean or all fixed, 1 = work remains, 2 = usage, configuration or surroundings, 3 = a bug of ours,
        130 = interrupted.
    """
    gc.set_threshold(GARBAGE)
    atexit.register(gc.freeze)  # at its end a program needs no search for garbage, which takes a quarter second
    stand_in_for_closed_streams()
    never_fail_to_encode()
    try:
        return _ended(sys.argv[1:] if arguments is None else arguments)
    finally:
        flush_or_discard()


def _ended(arguments: Sequence[str]) -> int:
    try:
        code = _dispatch(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        discard(sys.stdout)
        return 0
    except FanfoldError as error:
        return _told(error.message, error.hint or _what_helps(error.message))
    except KeyboardInterrupt:
        tell("interrupted")
        return EXIT_INTERRUPTED
    except OSError as error:
        hint = SURROUNDINGS.get(error.errno or 0)
        return _told(str(error.strerror) + _place(error), hint) if hint else _bug(error)
    except Exception as error:  # noqa: BLE001  the top of the command line: a bug ends in words, not in a traceback
        return _bug(error)
    return code


def _what_helps(message: str) -> str | None:
    """What helps where a program tells, in the system's own words, that the machine refused something."""
    return next((hint for number, hint in SURROUNDINGS.items() if os.strerror(number) in message), None)


def _dispatch(arguments: Sequence[str]) -> int:
    import typer

    from fanfold.cli.app import app

    try:
        code = app(args=arguments or ["--help"], prog_name="fanfold", standalone_mode=False)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except typer.TyperException as error:
        return _told(error.format_message().replace("Value error, ", "").rstrip("."), _usage_hint(error))
    return code if isinstance(code, int) else 0


def _usage_hint(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    return f"see `{context.command_path if context else 'fanfold'} --help`"


def _told(message: str, hint: str | None) -> int:
    tell(f"error: {visible(message)}")
    if hint:
        tell(f"hint: {visible(hint)}")
    return EXIT_USAGE


def _place(error: OSError) -> str:
    return "" if error.filename is None else f": {error.filename}"


def _bug(error: Exception) -> int:
    from fanfold.cli.crash import keep_traceback

    tell(f"error: Fanfold itself failed: {visible(f'{type(error).__name__}: {error}')[:300]}")
    tell(f"hint: {keep_traceback(error)}")
    return EXIT_BUG
