"""What texts say: job logs, lines of logs, events and alerts, read by the table of signatures."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from fanfold.troubleshoot.codes import codes_in
from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.rules.facts import word, words
from fanfold.troubleshoot.rules.objects import find, near
from fanfold.troubleshoot.rules.sign import Channel, Sign
from fanfold.troubleshoot.rules.signatures import FOLDER, Match, matches

BY_CODE = 0.9
LATER = 0.97
OWN_MESSAGE = 0.45
OWN_ERROR = 0.4
ONLY_AN_END = 0.8
SPECIFIC = 0.5
LINE_CHARS = 260
MOST_LINES = 12
MOST_TEXTS = 40
MOST_AROUND = 8
_LEVEL = re.compile(
    r"(?<![\w.])(?:(?P<quiet>TRACE|DEBUG|INFO|INFORMATION|NOTICE|VERBOSE)|(?P<warning>WARN|WARNING|AVISO)"
    r"|(?P<loud>ERROR|ERRO|SEVERE|FATAL|CRITICAL|EMERG|ALERT))(?![\w.])"
)
_LEVEL_CHARS = 90
_LOUDNESS = {"quiet": 0.3, "warning": 0.5, "loud": 1.0}
_LEVELS = {
    **dict.fromkeys(("TRACE", "DEBUG", "INFO", "INFORMATION", "NOTICE", "NORMAL"), 0.3),
    **dict.fromkeys(("WARN", "WARNING"), 0.5),
}
# Lines that speak to whoever reads the evidence: no system reports its own root cause, or asks to be reported well.
_TO_THE_READER = re.compile(
    r"(?:ignore|disregard|forget|desconsidere|ignorem?) (?:all |any |the |todas? |as |quaisquer )*"
    r"(?:previous|prior|above|earlier|instructions?|instru[cç][oõ]es|anteriores)"
    r"|\byou are now\b|\bvoc[eê] agora [eé]\b|</?(?:evidence|system|instructions?|assistant)>"
    r"|(?:^|[\"'>:])\s*(?-i:SYSTEM|ASSISTANT|SISTEMA|ASSISTENTE)\s*:\s"
    r"|\b(?:report|answer|conclude|say|tell|reply|respond|responda|informe|diga|conclua|relate)\b[^\n]{0,40}"
    r"\b(?:that|que|healthy|saud[aá]vel|the operator|o operador)\b"
    r"|\bthe (?:true |real |actual |only )?root cause (?:is|was)\b|\ba causa[ -]raiz (?:é|foi)\b"
    r"|\bno (?:further )?action (?:is |was )?(?:needed|required|necessary)\b|\bnenhuma a[cç][aã]o (?:é|ser[aá])\b"
    r"|\b(?:attention|aten[cç][aã]o|note to)[^\n]{0,20}\b(?:ai|llm|language model|assistant|assistente)\b",
    re.IGNORECASE,
)
_OWN_CODE = re.compile(r"(?<![\w-])(?P<object>[A-Z][A-Z0-9]{1,7}-?\d{3,6}-?[EFSAC])(?![\w-])[ :-]")
_OWN_EXCEPTION = re.compile(r"(?<![\w.])(?P<object>(?:[\w$]+\.)*[A-Z][\w$]*(?:Exception|Error|Fault))\b")
_OWN_WORDS = re.compile(
    r"\b(?:abort(?:ed|ing|ado)|failed|failure|falhou|falha|fatal|erro|error|interrompid[oa]|rejeitad[oa]|rejected)\b",
    re.IGNORECASE,
)
# What sources write above the lines themselves.
# What only says that it is over, and not why.
_END = re.compile(
    r"\b(?:interrompid[oa]|terminat(?:ed|ing)|abort(?:ed|ing|ado)|giving up|desistindo|encerrad[oa]|ended|finaliz\w+"
    r"|rc ?=? ?\d+|exit(?:ed|ing)?(?: code| status)? \d+|stopping|batch \d+ aborted)\b",
    re.IGNORECASE,
)
_HEADER = re.compile(r"\A(?:Job log of|(?:Error|Warning|Info) (?:of|that names)) [^\n]*\n?")
_WHOSE = re.compile(r"^(?P<level>[A-Z]+ )?(?:(?:host|job|hostname|jobname)=\S+ )+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Text:
    """A text that may say what is wrong.

    Attributes:
        text: without lines that speak to the reader.
        factor: how much it counts.
        own: the job itself says it, and not the machine that it is on.
    """

    piece: Evidence
    text: str
    codes: tuple[str, ...]
    channel: Channel
    factor: float = 1.0
    own: bool = True


@dataclass(frozen=True, slots=True)
class Speaker:
    """Whose texts they are: what a cause is about where no text says it."""

    job: str = ""
    workstation: str = ""
    service: str = ""


def text_of(piece: Evidence, channel: Channel, *, factor: float = 1.0, own: bool = True) -> Text:
    """What a piece says, as it may be read."""
    said = _HEADER.sub("", piece.text) if piece.kind in ("joblog", "log") else piece.text
    if piece.kind in ("event", "alert"):
        said = "\n".join((said, *filter(None, (word(piece.facts, "reason"), word(piece.facts, "name")))))
    lines = [_shortened(_WHOSE.sub(lambda match: match["level"] or "", line)) for line in said.split("\n")[:MOST_LINES]]
    dropped = [line for line in lines if _TO_THE_READER.search(line) or is_noise(line)]
    kept = "\n".join(line for line in lines if line not in dropped)
    theirs = set(codes_in("\n".join(dropped))) - set(codes_in(kept)) if dropped else set()
    codes = tuple(code for code in piece.codes if code not in theirs)
    return Text(piece, kept, codes or codes_in(kept), channel, factor, own)


def _shortened(line: str) -> str:
    """The line's beginning and end: what patterns cost grows with its length."""
    return line if len(line) <= LINE_CHARS else f"{line[: LINE_CHARS - 60]} {line[-59:]}"


def read(texts: Sequence[Text], speaker: Speaker, codes: Sequence[str] = ()) -> list[Sign]:
    """The signs in texts of one job, machine or service.

    Args:
        codes: that belong to all of them, the return code for instance.
    """
    signs: list[Sign] = []
    texts = texts[:MOST_TEXTS]
    around = tuple(text.text for text in texts if text.own)[:MOST_AROUND]
    for index, text in enumerate(texts):
        found = matches(text.text, (*text.codes, *codes), partial(_loudness, text), own=text.own)
        told = (match for match in found if text.own or match.signature.machine)
        signs += (_sign(match, text, index, speaker, around) for match in told)
    if not any(sign.weight >= SPECIFIC for sign in signs):
        signs += _own_words(texts)
    return signs


def _sign(match: Match, text: Text, index: int, speaker: Speaker, around: tuple[str, ...]) -> Sign:
    signature = match.signature
    if not text.own:
        speaker = replace(speaker, workstation=host_of(text.piece))  # what a machine says is about itself
    nearby = (*near(text.text, match.start), *around) if match.start is not None else (text.text, *around)
    found, certain = match.object, True
    if not found:
        found, certain = _object(signature.object, nearby, speaker)
    detail = match.detail or find(signature.detail, nearby, but=speaker.workstation)
    if not found:
        found, certain = detail or speaker.service, bool(detail)
    elif detail and detail.casefold() not in found.casefold():
        found = f"{found} ({detail})"
    weight = signature.weight * text.factor * match.loudness * LATER ** min(index, 5)
    weight *= BY_CODE if match.start is None else 1.0
    return Sign(
        cause=signature.cause,
        object=found,
        weight=weight,
        evidence=(text.piece.id,),
        channel=text.channel,
        order=index * 10_000 + (match.start or 0),
        certain=certain,
    )


def _object(kinds: Sequence[str], texts: Sequence[str], speaker: Speaker) -> tuple[str, bool]:
    """What it is about, and whether a text says so."""
    own = {"job": speaker.job, "workstation": speaker.workstation, "service": speaker.service}
    for kind in kinds:
        if own.get(kind):
            return own[kind], False
        if kind not in own and (found := find((kind,), texts, but=speaker.workstation)):
            return found, True
    return "", False


def host_of(piece: Evidence) -> str:
    """The machine, or whatever else isn't a job, that a line, an event or an alert is from."""
    return word(piece.facts, "host") or word(piece.facts, "object") or piece.subject


def channel_of(piece: Evidence) -> Channel:
    """Whose voice a line, an event or an alert is."""
    return "log" if piece.kind == "log" else "alert" if piece.kind == "alert" else "event"


def _loudness(text: Text, start: int) -> float:
    level = word(text.piece.facts, "level").upper()
    if level:
        return _LEVELS.get(level, 1.0)
    begin = text.text.rfind("\n", 0, start) + 1
    end = text.text.find("\n", begin)
    line = text.text[begin : end if end >= 0 else None]
    found = _LEVEL.search(line[:_LEVEL_CHARS])
    return _LOUDNESS[found.lastgroup or "loud"] if found else 1.0


def _own_words(texts: Sequence[Text]) -> Iterator[Sign]:
    """What the program itself calls an error, where nothing better is known."""
    for index, text in enumerate(texts):
        if not text.own or text.channel not in ("joblog", "log"):
            continue
        start = 0
        for line in text.text.split("\n"):
            if (_loudness(text, start) >= 1.0) and (found := _own_error(line)):
                said, weight = found
                yield Sign(
                    cause="application_error",
                    object=said,
                    weight=weight * text.factor,
                    evidence=(text.piece.id,),
                    channel=text.channel,
                    order=index * 10_000 + start,
                )
                break
            start += len(line) + 1


def _own_error(line: str) -> tuple[str, float] | None:
    factor = ONLY_AN_END if _END.search(line) else 1.0
    code = _OWN_CODE.search(f"{line} ") or _OWN_EXCEPTION.search(line)
    if code:
        rest = " ".join(line[code.end() :].split()).strip(" :-")
        return f"{code['object']} {rest}"[:120].strip(), OWN_MESSAGE * factor
    if _LEVEL.search(line[:_LEVEL_CHARS]) or _OWN_WORDS.search(line):
        said = " ".join(line.split())
        return said[:120], OWN_ERROR * factor
    return None


@functools.cache
def _noise() -> re.Pattern[str]:
    read = tomllib.loads((FOLDER / "noise.toml").read_text("utf-8"))
    return re.compile("|".join(read["patterns"]))


def is_noise(line: str) -> bool:
    """Whether machines write such a line all the time."""
    return _noise().search(line) is not None


def names_in(pieces: Sequence[Evidence]) -> str:
    """All that pieces say in one text, in small letters, to look names up in."""
    said = (
        "\n".join((piece.subject, piece.text, *(one for key in piece.facts for one in words(piece.facts, key))))
        for piece in pieces
    )
    return "\n".join(said).casefold()
