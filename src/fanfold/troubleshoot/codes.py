"""Codes in text: abend codes, message ids, return codes, database errors; in one spelling each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

MAX_CHARS = 256 * 1024

# System completion codes that count where nothing says that they are any. All others need "abend" or the like before
# them: S010 is the name of a step, S256 a hash, and "sede" and "sabe" are Portuguese words.
_WELL_KNOWN = frozenset(
    """
    013 0C1 0C2 0C3 0C4 0C5 0C6 0C7 0C8 0C9 0CA 0CB 0CC 0CD 0CE 0CF 03B 03D 04E 05C 0A3 0A4 0D3 0DC 0E0 0F4 0F9 106 12D
    13E 137 1C5 213 222 233 237 23E 2C5 2F3 305 30A 30D 313 314 322 32D 337 33E 378 3C5 40D 413 437 45E 4C5 50A 513 522
    53E 5C5 604 613 614 622 637 63E 67D 6C5 706 713 714 722 72A 737 73E 7C5 804 80A 806 813 822 837 878 8FB 905 906 90A
    913 922 937 978 A03 A0A A13 A14 A2A A37 A78 AC7 B04 B0A B13 B14 B37 B78 C03 C0D C13 C37 D06 D0D D13 D23 D37 DC2 E06
    E13 E37 EC1 EC3 EC6 EC7 F13 F37
    """.split()  # noqa: SIM905 a table of words
)
_SAID = re.compile(
    r"(?:\babend(?:[ \t_-]?code)?[ \t]{0,4}[=:]?[ \t]{0,4}"
    r"|\bcompletion[ \t]code[ \t]{0,4}[=:-]?[ \t]{0,4}(?:system[ \t]?=)?|\bsystem[ \t]?=)\Z",
    re.IGNORECASE,
)
SAID_CHARS = 40
_PREFIXES = tuple(
    """
    AWS AWK EQQ IEF IEA IEC IEE IGZ IGW IGD CEE ICH CSV ICE WER ADR ARC DSN DFS DFH CSQ EZ EDC IKJ IST BPX FSUM HASP AMQ
    JVM CWW SRVE SQL
    """.split()  # noqa: SIM905 a table of words
)
_ERRNO = (
    "EACCES|EADDRINUSE|EAGAIN|ECONNABORTED|ECONNREFUSED|ECONNRESET|EDQUOT|EEXIST|EHOSTUNREACH|EISDIR|EMFILE|ENFILE"
    "|ENETUNREACH|ENOENT|ENOEXEC|ENOMEM|ENOSPC|ENOTCONN|ENOTDIR|ENOTEMPTY|EPERM|EPIPE|EROFS|ETIMEDOUT|ETXTBSY"
)
_SIGNALS = {"1": "HUP", "2": "INT", "3": "QUIT", "4": "ILL", "6": "ABRT", "7": "BUS", "8": "FPE", "9": "KILL"} | {
    "11": "SEGV",
    "13": "PIPE",
    "15": "TERM",
    "24": "XCPU",
    "25": "XFSZ",
}
_SEPARATOR = r"[ \t]{0,20}(?:[=:#-]|\bis\b|\bwas\b|\bof\b|\bé\b|\bfoi\b|\bigual a\b)?[ \t]{0,4}"
_RETURN_WORDS = (
    r"exited[ \t_-]{0,4}(?:with|status|code)(?:[ \t_-]{0,4}(?:status|code|value))?"
    r"|exit(?:[ \t_-]{0,4}(?:status|code|value))?"
    r"|return(?:ed)?[ \t_-]{0,4}(?:code|value)|cond(?:ition)?[ \t_-]{0,2}code|max[ \t_-]?cc|rc"
    r"|(?:status|c[oó]digo)[ \t]de[ \t](?:retorno|sa[ií]da|t[eé]rmino)|retorno"
    r"|(?:terminou|finalizou|encerrou|saiu)[ \t]com(?:[ \t](?:o[ \t])?(?:status|c[oó]digo))?"
)


@dataclass(frozen=True, slots=True)
class _Shape:
    """One way in which codes are written.

    Attributes:
        signs: it is looked for only where the text, in small letters, has one of these: that is found much faster.
    """

    pattern: re.Pattern[str]
    spell: Callable[[re.Match[str]], str]
    signs: tuple[str, ...]

    def may_be_in(self, lowered: str) -> bool:
        """Whether it is worth looking."""
        return any(sign in lowered for sign in self.signs)


def codes_in(text: str) -> tuple[str, ...]:
    """The codes that a text mentions, each once, in the order in which they first appear.

    Spelled as S0C7, U4038 (abends; none for S000 and U0000), AWSBIS308I, IEF450I, SQL0911N (message ids), RC=127
    (return codes and exit statuses but 0), ORA-00942, SQLCODE=-904, SQLSTATE=57011, FS=35 (a COBOL file status),
    HTTP=503, SIGKILL, ENOSPC, 0XC0000005, and always in upper case.

    Args:
        text: a log line, a message, a runbook; of a very long one the beginning counts.
    """
    text = text[:MAX_CHARS]
    found = sorted((match.start(), code) for match, code in _found(text))
    return tuple(dict.fromkeys(code for _, code in found))


def _found(text: str) -> Iterator[tuple[re.Match[str], str]]:
    lowered = text.lower()
    for shape in _SHAPES:
        if not shape.may_be_in(lowered):
            continue
        for match in shape.pattern.finditer(text):
            code = shape.spell(match).upper()
            if code:
                yield match, code


def _whole(match: re.Match[str]) -> str:
    return match[0]


def _system(match: re.Match[str]) -> str:
    digits = match["code"].upper()
    if digits == "000" or not any(map(str.isdigit, digits)):
        return ""
    if match[0][0] in "sS" and digits in _WELL_KNOWN:
        return f"S{digits}"
    before = match.string[max(0, match.start() - SAID_CHARS) : match.start()]
    return f"S{digits}" if _SAID.search(before) else ""


def _message(match: re.Match[str]) -> str:
    return match[0] if match[0].upper().startswith(_PREFIXES) else ""


def _user(match: re.Match[str]) -> str:
    number = int(match["code"])
    return f"U{number:04d}" if number else ""


def _return(match: re.Match[str]) -> str:
    number = int(match["code"])
    return f"RC={number}" if number else ""


def _oracle(match: re.Match[str]) -> str:
    return f"{match['family']}-{int(match['code']):05d}"


def _signal(match: re.Match[str]) -> str:
    name = match["name"] or _SIGNALS.get(match["number"], "")
    return f"SIG{name}" if name else ""


def _shape(
    signs: str, pattern: str, spell: Callable[[re.Match[str]], str] = _whole, *, flags: int = re.IGNORECASE
) -> _Shape:
    return _Shape(re.compile(pattern, flags), spell, tuple(sign.replace("_", " ") for sign in signs.split()))


_SHAPES = (
    # With its S, or after "abend" and the like without it.
    _shape("s abend", r"(?<![A-Z0-9_.$-])S(?P<code>[0-9A-F]{3})(?![A-Z0-9_])", _system),
    _shape("abend completion system", r"(?<![A-Z_.$-])(?P<code>[0-9A-F]{3})(?![A-Z0-9_])", _system),
    _shape(
        "u",
        r"(?:(?<![A-Z0-9_.$+-])U|\buser[ \t]?=[ \t]?|\buser[ \t](?:abend|completion)(?:[ \t]code)?[ \t]?[=:]?[ \t]?U?)"
        r"(?P<code>[0-9]{4})(?![A-Z0-9_])",
        _user,
    ),
    _shape(
        " ".join(_PREFIXES).lower(),
        r"\b(?:[A-Z]{3,8}[0-9]{3,5}[A-Z]|EQQ[A-Z][A-Z0-9]{3}[A-Z]|AW[SK][A-Z0-9]{2,3}[0-9]{3,4}[A-Z])\b",
        _message,
    ),
    _shape(
        "exit return cond max rc retorno status_de código_de codigo_de _com_",
        rf"\b(?:{_RETURN_WORDS}){_SEPARATOR}(?P<code>-?[0-9]{{1,10}})(?![\w.]*[A-Z_]|\.\d)",
        _return,
    ),
    _shape(
        "ora- tns- pls- rman- lrm- kup- crs-",
        r"\b(?P<family>ORA|TNS|PLS|RMAN|LRM|KUP|CRS)-(?P<code>[0-9]{1,5})\b",
        _oracle,
    ),
    _shape(
        "sqlcode",
        r"\bSQLCODE[ \t]{0,4}[=:]?[ \t]{0,4}(?P<code>-?[0-9]{2,5})\b",
        lambda match: f"SQLCODE={int(match['code'])}",
    ),
    _shape(
        "sqlstate",
        r"\bSQLSTATE[ \t]{0,4}[=:]?[ \t]{0,4}\[?(?P<code>[0-9A-Z]{5})\b",
        lambda match: f"SQLSTATE={match['code']}" if any(map(str.isdigit, match["code"])) else "",
    ),
    _shape(
        "status",
        r"\b(?:FILE[ \t_-]STATUS|STATUS[ \t]DO[ \t]ARQUIVO)(?:[ \t]CODE)?[ \t]{0,4}(?:[=:]|IS\b)?[ \t]{0,4}"
        r"['\"]?(?P<code>[0-9]{2})\b",
        lambda match: f"FS={match['code']}" if match["code"] != "00" else "",
    ),
    _shape(
        "http",
        r"\bHTTP(?:S|/[0-9](?:\.[0-9])?)?(?:[ \t](?:status|error|code|response)){0,3}[ \t]?[=: ][ \t]?"
        r"(?P<code>[45][0-9]{2})\b",
        lambda match: f"HTTP={match['code']}",
    ),
    _shape(
        "sig sinal",
        r"\bSIG(?P<name>HUP|INT|QUIT|ILL|ABRT|BUS|FPE|KILL|SEGV|PIPE|TERM|XCPU|XFSZ)\b"
        r"|\b(?:signal|sinal)[ \t]{0,2}[=:#]?[ \t]{0,2}(?P<number>[0-9]{1,2})\b",
        _signal,
    ),
    _shape(_ERRNO.lower().replace("|", " "), rf"\b(?:{_ERRNO})\b", flags=0),
    _shape("0xc0 0x8007", r"\b0xC0[0-9A-F]{6}\b|\b0x8007[0-9A-F]{4}\b"),
)
