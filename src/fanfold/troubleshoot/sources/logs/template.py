"""What lines have in common: the same sentence with other numbers, ids, paths and times is one template.

Drain3 would do this too; it hasn't had a release since 2022, has no types and pins an old cachetools. A template
that depends on its own line alone can moreover be compared between a cache, files and machines.
"""

from __future__ import annotations

import re

MAX_CHARS = 2_000
# Stands for digits until the end; control characters are taken out of lines before, so it is nothing else.
_D = "\x00"

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_DIGITS = re.compile(r"\d+")
_N = rf"[+-]?{_D}(?:[.,]{_D})*"
_DATE = r"\x00[-/.]\x00[-/.]\x00"
_TIME = r"\x00:\x00(?::\x00)?(?:[.,]\x00)?"
_PATH = r"(?<![\w\x00/.])(?:[A-Za-z]:)?(?:[\\/][\w\x00.@+~=-]+){2,}[\\/]?"
_EDGE = rf"(?<![\w{_D}]){{}}(?![\w{_D}])"
# Digits are masked first, so that none of these can tell one number from another.
_MASKS: tuple[tuple[str, str, re.Pattern[str]], ...] = tuple(
    (mask, sign, re.compile(pattern))
    for mask, sign, pattern in (
        ("<url>", "://", r"\b[a-z][a-z\x00+.-]{1,15}://[^\s\"'<>]+"),
        ("<path>", "/", _PATH),
        ("<path>", "\\", _PATH),
        ("<mail>", "@", r"[\w\x00.+-]+@[\w\x00-]+\.[\w\x00.-]+"),
        (
            "<time>",
            "\x00:\x00",
            rf"(?<![\w\x00])(?:{_DATE}[T ,_]{{1,2}})?{_TIME}(?:Z|[+-]\x00(?::\x00)?)?(?![\w\x00:])",
        ),
        ("<date>", _D, r"(?<![\w\x00.])\x00([-/])\x00\1\x00(?![\w\x00])"),
        ("<ip>", "\x00.\x00.\x00", r"(?<![\w\x00.])\x00\.\x00\.\x00\.\x00(?::\x00)?(?![\w\x00])"),
        ("<id>", "-", r"(?<![\w\x00-])(?=[A-Fa-f-]*\x00)[\x00A-Fa-f]+(?:-[\x00A-Fa-f]+){4}(?![\w\x00-])"),
        ("<hex>", _D, r"(?<![\w\x00])\x00[xX][\x00A-Fa-f]+(?![\w\x00])"),
        ("<hex>", _D, r"(?<![\w\x00])(?=[A-Fa-f]*\x00[A-Fa-f]+\x00)[\x00A-Fa-f]{4,}(?![\w\x00])"),
        ("<id>", _D, r"(?<![\w\x00-])(?=(?:[A-Za-z_-]*\x00){3})[\x00A-Za-z_-]{16,}(?![\w\x00-])"),
        ("<n>", _D, _EDGE.format(_N)),
    )
)


def template_of(text: str) -> str:
    """A line with `<n>`, `<path>`, `<time>`, `<id>` and the like for what differs; `#` for digits within a word.

    Lines that differ in the digits of their numbers alone have the same template; of very long ones, the beginning
    counts.
    """
    masked = _DIGITS.sub(_D, " ".join(_CONTROL.sub(" ", text).split()))[:MAX_CHARS]
    if _D not in masked and "/" not in masked and "\\" not in masked and "@" not in masked:
        return masked
    for mask, sign, pattern in _MASKS:
        if sign in masked:
            masked = pattern.sub(mask, masked)
    return masked.replace(_D, "#")
