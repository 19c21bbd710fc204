"""One line of a log, read: when, how grave, which host and job, what it says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypeAlias

from fanfold.troubleshoot.codes import codes_in
from fanfold.troubleshoot.sources.telling import is_telling

Level: TypeAlias = Literal["error", "warning", "info"]

MAX_CHARS = 8_000
MAX_JSON_CHARS = 64_000

_LEVELS: dict[str, Level] = {
    **dict.fromkeys(("emerg", "emergency", "panic", "alert", "crit", "critical", "fatal", "severe"), "error"),
    **dict.fromkeys(("error", "err", "erro", "fatal error", "critico", "crítico", "grave", "e", "f"), "error"),
    **dict.fromkeys(("warning", "warn", "aviso", "alerta", "w"), "warning"),
    **dict.fromkeys(("notice", "info", "information", "informação", "debug", "trace", "fine", "finer"), "info"),
    **dict.fromkeys(("config", "verbose", "i", "d"), "info"),
}
_SYSLOG_LEVELS: tuple[Level, ...] = ("error", "error", "error", "error", "warning", "info", "info", "info")
_WORD = re.compile(
    r"(?<![\w.-])(EMERG|EMERGENCY|PANIC|ALERT|CRIT|CRITICAL|FATAL|SEVERE|ERROR|ERR|ERRO|CRÍTICO|GRAVE|WARNING|WARN|AVISO"
    r"|ALERTA|NOTICE|INFO|DEBUG|TRACE|FINE|FINER|VERBOSE)(?=[\]\s:>|,)-])(?!: ?0\b)"
    r"|[\[<(](emerg|panic|alert|crit|critical|fatal|severe|error|err|erro|warning|warn|aviso|notice|info|debug|trace)[\]>)]"
    r"|\b(?:level|severity|lvl|nivel|nível)[=:] ?\"?([A-Za-zé]{3,9})\b"
    r"|^(error|fatal|warning|erro|aviso|warn): "
)
LEVEL_CHARS = 200
_PRIORITY = re.compile(r"^<(\d{1,3})>(?:1 )?")
_MESSAGE_ID = re.compile(r"\b(?:AW[SK][A-Z0-9]{2,3}\d{3,4}|EQQ[A-Z0-9]{4})([EWI])\b")
_CLASS = re.compile(r"\b[A-Za-z_$][\w$.]{0,200}(?:Error|Exception)(?=:|$|\s)")
# Found by plain search, much faster than any pattern; only lines that have one of these are looked into.
_SIGNS = tuple(
    """
    err fatal severe crit grave panic emerg xception xceç raceback abend fail cannot can't unable denied refused
    unreach s0c s80 s222 s322 s806 sb37 sd37 se37 kill abort terminat timed timeout deadlock orrup nval inv
    missing expir exceed xhaust overflow reject unexpected mismatch not_ no_ out_of full uota core segm falh neg
    recus esgot nexist não tempo nterr ancel mposs diverg falt sem_ usent warn aviso alert rc= exit return retorno
    code= code_ sqlcode sig iec igz ief1 ief2 ief4 ora- awk aws eqq status
    """.split()  # noqa: SIM905 a table of words
)
_SIGNS = tuple(sign.replace("_", " ") for sign in _SIGNS)
# A line that says that it is no error is looked into for these alone.
_SIGNS_OF_CODES = ("err", "warn", "fatal", "sever", "crit", "abend", "rc=", "exit", "ora-", "sqlcode", "s0c", "sig")
_CALM = (" info", "[info", " debug", "[debug")

_JOB_NAME = r"[A-Za-z$#@][\w$#@-]{0,39}"
_JOB = re.compile(
    # As the scheduler names jobs: its workstation, its job stream with or without a start, itself.
    rf"[\w$@/-]{{1,40}}#[\w$@/-]{{1,60}}(?:\[[^\]\n]{{0,80}}\])?\.(?P<full>{_JOB_NAME})"
    rf"|\b(?:job|jobname|job_name|job name)\b[ \t]?[=:#]?[ \t]?[\"'\[]?(?P<said>{_JOB_NAME})"
    rf"|\b(?:IEF\d{{3}}I|\$HASP\d{{3}}|IEFC\d{{3}}I)[ \t]+(?P<jes>[A-Z$#@][A-Z0-9$#@]{{0,7}})\b",
    re.IGNORECASE,
)
# What follows "job" without being its name.
_NO_JOB = frozenset(
    """
    abend abended aborted and are as at by can cancelled completed count de did do does em end ended ends error
    errors exit failed failure fails falhou file finished for foi from has have history id in into is it log logs
    manager name not number of on or out queue received run running scheduler server started starting starts state
    status stream submitted terminou that the time timeout to was were will with
    """.split()  # noqa: SIM905 a table of words
)
_HOST = re.compile(r"^[ \t]*(?P<host>[A-Za-z][\w.-]{1,62}|\d{1,3}(?:\.\d{1,3}){3}) (?P<tag>[\w./-]{1,64}(?:\[\d+\])?):")
# The machine that wrote a line stands before what it says; a host further on is one that is talked about.
_HOST_FIELD = re.compile(
    r"^(?:[\[(<]?[^\W\d_]{1,12}[\])>]?:? {1,3})?(?:[\w.-]{1,30}=[^\s\"']{1,100} {1,3}){0,8}?"
    r"(?:host|hostname|node|workstation)=[\"']?(?P<host>[\w.:-]{1,63})(?![\w.:-])",
    re.IGNORECASE,
)
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "at": ("@timestamp", "timestamp", "time", "ts", "datetime", "date", "asctime", "eventTime", "t"),
    "level": ("level", "severity", "levelname", "log.level", "lvl", "loglevel", "severity_text"),
    "text": ("message", "msg", "text", "event", "log", "body", "MESSAGE"),
    "host": ("host", "hostname", "host.name", "server", "node", "workstation", "_HOSTNAME"),
    "job": ("job", "job_name", "jobName", "jobname", "job.name", "JOB"),
    "more": ("error", "exception", "exc_info", "stack_trace", "error.message", "status", "state", "rc", "return_code"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """A line that was read.

    Attributes:
        at: seconds since 1970; None = neither it nor a line before it says.
        job: whom the line, or what stands around it, names; "" = nobody.
        text: what it says, without its time; control characters are blanks.
        codes: in it; None = not looked for yet, as that takes longer than all else.
        file: what it was read from.
        offset: bytes before it there.
    """

    at: float | None
    level: Level
    text: str
    host: str = ""
    job: str = ""
    codes: tuple[str, ...] | None = None
    file: str = ""
    offset: int = 0

    @property
    def all_codes(self) -> tuple[str, ...]:
        """Its codes, looked for now if they haven't been before."""
        return codes_of(self.text) if self.codes is None else self.codes


def decoded(raw: bytes) -> str:
    """A line's text: UTF-8, or what Windows and old systems write in the West."""
    if len(raw) > MAX_JSON_CHARS:
        raw = raw[:MAX_JSON_CHARS]
        return raw.decode("utf-8", "replace")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def clean(text: str) -> str:
    """Without control characters, which would reach a terminal, and of a size that can be kept."""
    text = text[:MAX_CHARS]
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()


def may_tell(lowered: str) -> bool:
    """Whether a line, in small letters, is worth a closer look."""
    for sign in _SIGNS_OF_CODES:
        if sign in lowered:
            return True
    if any(mark in lowered[:LEVEL_CHARS] for mark in _CALM):
        return False
    for sign in _SIGNS:  # noqa: SIM110 a generator takes twice as long
        if sign in lowered:
            return True
    return False


def level_of(text: str) -> Level | None:
    """How grave a line says it is; None = it doesn't."""
    match = _WORD.search(text, 0, LEVEL_CHARS)
    if match:
        return _LEVELS.get((match[1] or match[2] or match[3] or match[4]).lower())
    said = _MESSAGE_ID.search(text, 0, LEVEL_CHARS)
    return {"E": "error", "W": "warning", "I": "info"}[said[1]] if said else None  # type: ignore[return-value]


codes_of = lru_cache(maxsize=4_096)(codes_in)


@lru_cache(maxsize=4_096)
def judged(text: str) -> tuple[Level, tuple[str, ...] | None]:
    """How grave a line is, by what it says of itself, else by its words and codes; and those, if they were needed."""
    said = level_of(text)
    if said in ("error", "warning"):
        return said, None
    codes = codes_of(text)
    if said == "info":
        return ("warning" if any(map(_is_failure, codes)) else "info"), codes
    if codes and any(map(_is_failure, codes)):
        return "error", codes
    if codes and all(code.endswith("I") for code in codes):
        return "info", codes
    return ("error" if _says_so(text) else "info"), codes


def _is_failure(code: str) -> bool:
    """Whether a code means that something failed, whatever the line is called."""
    return code.startswith(("RC=", "SQLCODE=-", "SIG", "ORA-", "TNS-")) or (code[0] in "SU" and len(code) in (4, 5))


def job_in(text: str) -> str:
    """The job that a line names first; "" = none."""
    for match in _JOB.finditer(text):
        name = match["full"] or match["said"] or match["jes"]
        if name.lower() not in _NO_JOB and (match["said"] is None or not name.islower() or any(map(str.isdigit, name))):
            return name.rstrip("-")
    return ""


def _says_so(text: str) -> bool:
    return _CLASS.search(text) is not None or is_telling(text)


def host_in(rest: str) -> str:
    """The host in front of a line of syslog, after its time."""
    match = _HOST.match(rest)
    return match["host"] if match and match["host"].lower() not in _LEVELS else ""


def host_field(text: str) -> str:
    """The host among the fields that a line begins with, `host=sysa job=A100 …`; "" = there is none."""
    match = _HOST_FIELD.match(text) if "=" in text else None
    return match["host"] if match else ""


def priority(line: str) -> tuple[Level | None, str]:
    """The level in a syslog line's <PRI>, and the line without it."""
    match = _PRIORITY.match(line)
    if match is None or int(match[1]) > 191:
        return None, line
    return _SYSLOG_LEVELS[int(match[1]) % 8], line[match.end() :]


class Names:
    """Names of jobs, found in lines as whole words in any case; `A1` is neither in `A10` nor in `X-A1`."""

    def __init__(self, names: Iterable[str]) -> None:
        kept = [name.strip() for name in names if name.strip()]
        self._lowered = tuple(name.lower() for name in kept)
        self._of = {name.lower(): name for name in kept}
        longest_first = "|".join(re.escape(name) for name in sorted(kept, key=len, reverse=True))
        self._pattern = re.compile(rf"(?<![\w$@])(?<![\w$@]-)(?:{longest_first})(?![\w$@]|[-#][\w$@])", re.IGNORECASE)

    def __iter__(self) -> Iterator[str]:
        return iter(self._of.values())

    def in_text(self, text: str, lowered: str) -> str:
        """The first of them that a text has, as it was given; "" = none."""
        for name in self._lowered:
            if name in lowered:
                match = self._pattern.search(text)
                return self._of[match[0].lower()] if match else ""
        return ""


@dataclass(frozen=True, slots=True)
class Record:
    """A line that is an object of JSON."""

    at: str | float | None
    level: Level | None
    text: str
    host: str
    job: str
    status: str


def record_in(line: str) -> Record | None:
    """The fields of a JSON line by their usual names; None = it is none."""
    start = line.find("{", 0, 64)  # container runtimes put their own words before it
    if start < 0 or not line.rstrip().endswith("}") or len(line) > MAX_JSON_CHARS:
        return None
    try:
        found = json.loads(line[start:])
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    text = _field(found, "text")
    more = [f"{name}={value}" for name in _FIELDS["more"] if isinstance(value := found.get(name), (str, int, float))]
    at = next((found[name] for name in _FIELDS["at"] if isinstance(found.get(name), (str, int, float))), None)
    status = str(found.get("status") or found.get("state") or "")
    level = _json_level(_field(found, "level"))
    return Record(at, level, " ".join([text, *more]), _field(found, "host"), _field(found, "job"), status)


def _json_level(text: str) -> Level | None:
    if text.isdigit():  # pino and bunyan: 30 info, 40 warning, 50 error
        return "error" if int(text) >= 50 else "warning" if int(text) >= 40 else "info"
    return _LEVELS.get(text.lower())


def _field(found: Mapping[str, Any], what: str) -> str:
    for name in _FIELDS[what]:
        value = found.get(name)
        if value is None and "." in name:
            outer, _, inner = name.partition(".")
            nested = found.get(outer)
            value = nested.get(inner) if isinstance(nested, dict) else None
        if isinstance(value, dict):
            value = value.get("name")
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            return str(value)
    return ""
