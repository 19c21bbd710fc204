"""Names for findings that stay when their lines move."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable

from fanfold.fix.findings.finding import Finding

DIGITS = 16

_NEWLINE = re.compile(rb"\r\n|\r|\n")


def with_fingerprints(findings: Iterable[Finding], read: Callable[[str], bytes | None]) -> tuple[Finding, ...]:
    """The findings, each with a fingerprint that no other one of them has.

    A fingerprint is made of checker, rule, path, the text of the finding's lines whatever their indentation and
    spacing, and a number that counts equal ones from the file's top. It is the same after lines were added or
    removed anywhere but in the finding's own lines, unless an equal finding came or went above it. The message isn't
    part of it: messages speak of line numbers.

    Args:
        findings: in any order.
        read: a file's content by path, None where there is none; asked once a file.
    Returns:
        In the order of `findings`; fingerprints are 16 hexadecimal digits.
    """
    findings = tuple(findings)
    lines = {path: _lines(read(path)) for path in sorted({finding.path for finding in findings})}
    seen: Counter[tuple[bytes, ...]] = Counter()
    named: dict[int, Finding] = {}
    for index in sorted(range(len(findings)), key=findings.__getitem__):
        finding = findings[index]
        identity = _identity(finding, lines[finding.path])
        number = seen[identity]
        seen[identity] += 1
        named[index] = dataclasses.replace(finding, fingerprint=_digest((*identity, b"%d" % number)))
    return tuple(named[index] for index in range(len(findings)))


def _identity(finding: Finding, lines: list[bytes]) -> tuple[bytes, ...]:
    first, last = finding.line, max(finding.line, finding.end_line or 0)
    if finding.end_column == 1 and last > first:
        last -= 1  # it ends before the first character of that line
    text = b"\n".join(lines[first - 1 : last]) if first else b""
    names = (finding.checker, finding.rule, finding.path)
    return (*(name.encode("utf-8", "surrogatepass") for name in names), text)


def _digest(parts: tuple[bytes, ...]) -> str:
    joined = b"".join(b"%d:%s" % (len(part), part) for part in parts)
    return hashlib.sha256(joined).hexdigest()[:DIGITS]


def _lines(content: bytes | None) -> list[bytes]:
    lines = _NEWLINE.split((content or b"").removeprefix(b"\xef\xbb\xbf"))
    return [b" ".join(line.split()) for line in lines]
