"""Write to the terminal or a pipe: data to stdout, all else to stderr, nothing that a terminal would obey."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import IO, Any

NAMED_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


class Quoted(str):
    """Text that came from the repository or from a tool: to be escaped wherever it is shown."""

    __slots__ = ()


class Prose(Quoted):
    """Quoted text that may run over several lines, where only the words matter."""

    __slots__ = ()


def visible(text: str) -> str:
    """`text` with everything that does not print as itself spelled out.

    Control characters, line breaks, bidirectional overrides and undecodable bytes become backslash escapes, so
    that no file name or message moves a cursor, colours the screen or starts a line of its own. What a CI runner
    would read as a command at the start of a line is broken up as well.
    """
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else _escape(letter) for letter in text)
    if text.lstrip().startswith("::"):
        text = text.replace("::", "\\::", 1)
    return text.replace("##[", "##\\[")


def _escape(letter: str) -> str:
    if letter in NAMED_ESCAPES:
        return NAMED_ESCAPES[letter]
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as os.fsdecode keeps it
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def decodable(text: str) -> str:
    """`text` with undecodable bytes spelled `\\xNN`, other surrogates `\\uNNNN`, for formats that hold Unicode only."""
    return "".join(_escape(letter) if "\ud800" <= letter <= "\udfff" else letter for letter in text)


def never_fail_to_encode() -> None:
    """Let stdout and stderr escape what their encoding lacks, instead of raising in the middle of a report."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def stand_in_for_closed_streams() -> None:
    """Put the null device where the caller closed a standard stream (`>&-`), so that no other file gets its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(null, mode, encoding="utf-8", closefd=False))


def flush_or_discard() -> None:
    """Write out what stdout and stderr hold back; what can't be written must not become the exit code 120 of Python."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            discard(stream)


def emit(text: str) -> None:
    """Write data to stdout; a reader that went away (`| head`) ends the output, not the program."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        discard(sys.stdout)


def emit_bytes(data: bytes) -> None:
    """Write data to stdout as it is, as `emit` does; at a terminal with all that would steer it spelled out."""
    if sys.stdout.isatty():
        data = _harmless(data.decode("utf-8", "surrogateescape")).encode()
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        discard(sys.stdout)


def _harmless(text: str) -> str:
    return "".join(letter if letter in "\n\t" or letter.isprintable() else _escape(letter) for letter in text)


def tell(text: str) -> None:
    """Write a line to stderr; it is lost where nobody reads."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def discard(stream: IO[Any]) -> None:
    """Point a broken stream at the null device, or the interpreter complains about it on its way out."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
