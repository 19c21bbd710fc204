"""How jobs ended, as logs tell it: what a job's history is made of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

APART_S = 60.0
MOST_STARTS = 10_000

# Found by plain search: the patterns are slow, and few lines have one of these.
_SIGNS = tuple(
    sign.replace("_", " ")
    for sign in """
    ended abended ief45 ief404 failed falhou abort killed in_abend em_abend finish complet terminat exited terminou
    finaliz encerr conclu status
    """.split()  # noqa: SIM905 a table of words
)
_START_SIGNS = ("start", "inici", "has begun", "launch", "ief403", "hasp373")
_BAD = re.compile(
    r"\babended\b|\bIEF45[0-3]I\b|\$HASP395 \S+ +ENDED - (?:RC=0*[1-9]|ABEND)"
    r"|\bjob\b.{0,60}\b(?:failed|falhou|aborted|abortado|was killed|in abend|em abend)\b"
    r"|\b(?:ended|finished|completed|terminated|exited|terminou|finalizou|encerrou|encerrado)\b.{0,40}?"
    r"(?:\b(?:rc|return code|exit (?:code|status)|status|maxcc|código|code)[ =:]{1,3}(?:is )?0*[1-9]\d*\b"
    r"|(?<!\b0 )(?<!\bno )(?<!\bsem )(?<!without )\b(?:error|errors|erro|erros|falha|failure|abend)\b)"
    r"|\bstatus[ =:]{1,3}\"?(?:abend|fail|failed|error)\b",
    re.IGNORECASE,
)
_GOOD = re.compile(
    r"\$HASP395 \S+ +ENDED(?! - (?:RC=0*[1-9]|ABEND))|\bIEF404I\b"
    r"|\b(?:ended|finished|completed|terminated|exited|terminou|finalizou|finalizado|conclu[ií]d[oa]|concluiu|encerrou"
    r"|encerrado)\b.{0,40}?(?:\b(?:rc|return code|exit (?:code|status)|status|maxcc|código)[ =:]{1,3}(?:is )?0+\b"
    r"|\b(?:success|successfully|normally|ok|sucesso|normalmente)\b|\b(?:0|no|sem|without) err\w+)"
    r"|\b(?:successfully|succesfully) (?:ended|finished|completed)\b|\bcompleted successfully\b"
    r"|\bstatus[ =:]{1,3}\"?(?:succ|success|succeeded|completed)\b",
    re.IGNORECASE,
)
_STARTED = re.compile(
    r"\b(?:started|starting|has begun|launched|iniciado|iniciou|iniciando|início)\b|\bIEF403I\b|\$HASP373",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class End:
    """One end of a job.

    Attributes:
        at: seconds since 1970.
        elapsed_s: how long it ran, where its start is known.
    """

    job: str
    at: float
    succeeded: bool
    elapsed_s: float | None = None
    file: str = ""
    offset: int = 0


class Ends:
    """Finds ends of jobs in lines that follow one another, and remembers when jobs started."""

    def __init__(self) -> None:
        self._started: dict[str, float] = {}

    def started(self, job: str, at: float) -> None:
        """A job has started."""
        if len(self._started) >= MOST_STARTS:
            self._started.pop(next(iter(self._started)))
        self._started[job.upper()] = at

    def ended(self, job: str, at: float, *, succeeded: bool, elapsed_s: float | None, file: str, offset: int) -> End:
        """A job has ended."""
        began = self._started.pop(job.upper(), None)
        if elapsed_s is None and began is not None and at >= began:
            elapsed_s = round(at - began, 3)
        return End(job, at, succeeded, elapsed_s, file, offset)

    def read(self, text: str, lowered: str, job: str, at: float, *, file: str, offset: int) -> End | None:
        """What a line says of the job that it names itself."""
        if _has(lowered, _SIGNS):
            bad = _BAD.search(text)
            if bad or _GOOD.search(text):
                return self.ended(job, at, succeeded=bad is None, elapsed_s=None, file=file, offset=offset)
        if _has(lowered, _START_SIGNS) and _STARTED.search(text):
            self.started(job, at)
        return None


def _has(lowered: str, signs: tuple[str, ...]) -> bool:
    for sign in signs:  # noqa: SIM110 a generator takes twice as long
        if sign in lowered:
            return True
    return False


def once_each(ends: Iterable[End]) -> list[End]:
    """Ends by time, those that several lines tell of as one; a failure that a line tells of is one."""
    kept: list[End] = []
    for end in sorted(ends, key=lambda end: end.at):
        if kept and (end.at == kept[-1].at or _is_one(kept[-1], end)):
            last = kept[-1]
            elapsed_s = last.elapsed_s if end.elapsed_s is None else end.elapsed_s
            kept[-1] = End(
                end.job, end.at, last.succeeded and end.succeeded, elapsed_s, last.file or end.file, last.offset
            )
        else:
            kept.append(end)
    return kept


def _is_one(end: End, other: End) -> bool:
    return other.at - end.at <= APART_S and (end.elapsed_s is None or other.elapsed_s is None)
