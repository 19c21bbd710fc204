"""Read what git prints for `--raw -p -U0`: which lines of which file differ."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from fanfold.git.change import Status
from fanfold.git.command import text

# Nothing that the user configured shows in the output; renames stay deletions and additions.
PLAIN = (
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-renames",
    "--no-relative",
    "--full-index",
    "--ignore-submodules=dirty",
    "--submodule=short",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "-O/dev/null",
)
LINES = ("--raw", "-p", "-U0", "--inter-hunk-context=0", *PLAIN)

_HUNK = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)")
_ESCAPED = {b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r"}


@dataclass(frozen=True)
class Hunk:
    """Lines that differ, without context: 1-based first line and number of lines, before and after.

    As in git's `@@` lines, with a count of 0 the start is the line after which the other side's lines stand.
    """

    old_start: int
    old_count: int
    new_start: int
    new_count: int


@dataclass(frozen=True)
class FileDiff:
    """How one file differs. Renames are looked for only where that is asked; then `old_path` is the name before."""

    path: str
    status: Status
    old_mode: str
    new_mode: str
    binary: bool = False
    hunks: tuple[Hunk, ...] = ()
    old_path: str | None = None


def parse_diff(output: bytes) -> dict[str, FileDiff]:
    """Every file of git's `--raw -p -U0` output by its path.

    The raw lines, one per file, come first and say which files there are; the patch has one section per file in
    the same order, two where the kind of the file changed. Names are quoted by git, so each stays on its line.
    """
    lines = output.split(b"\n")
    files = [_file(line) for line in lines if line.startswith(b":")]
    sections = _sections(lines)
    found: dict[str, FileDiff] = {}
    for file in files:
        parts = [next(sections, []) for _ in range(2 if file.status == "T" else 1)]
        hunks = tuple(hunk for part in parts for hunk in _hunks(part))
        binary = any(line.startswith((b"Binary files ", b"GIT binary patch")) for part in parts for line in part)
        found[file.path] = replace(file, hunks=hunks, binary=binary)
    return found


def _file(line: bytes) -> FileDiff:
    meta, _, name = line[1:].partition(b"\t")
    old_mode, new_mode, _, _, letter = meta.decode().split(" ")
    first, _, second = name.partition(b"\t")
    return FileDiff(
        path=unquote(second or first),
        status=_status(letter[0]),
        old_mode=old_mode,
        new_mode=new_mode,
        old_path=unquote(first) if second else None,
    )


def _status(letter: str) -> Status:
    match letter:
        case "A" | "D" | "T":
            return letter
        case _:
            return "M"


def _sections(lines: list[bytes]) -> Iterator[list[bytes]]:
    """The patch per file. Text of files always has a mark before it, so no line of it looks like a header."""
    section: list[bytes] | None = None
    for line in lines:
        if line.startswith(b"diff --git "):
            if section is not None:
                yield section
            section = []
        elif section is not None:
            section.append(line)
    if section is not None:
        yield section


def _hunks(section: list[bytes]) -> Iterator[Hunk]:
    for line in section:
        if match := _HUNK.match(line):
            old_start, old_count, new_start, new_count = (int(part or b"1") for part in match.groups())
            yield Hunk(old_start, old_count, new_start, new_count)


def unquote(name: bytes) -> str:
    """A path as git printed it, with C-style quotes taken off."""
    if not name.startswith(b'"'):
        return text(name)
    return text(_ESCAPE.sub(_plain, name[1:-1]))


def _plain(match: re.Match[bytes]) -> bytes:
    code = match.group(1)
    return bytes([int(code, 8)]) if len(code) == 3 else _ESCAPED.get(code, code)
