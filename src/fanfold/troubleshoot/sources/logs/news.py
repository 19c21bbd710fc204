"""What a line tells of a job that is no error: that it was submitted, held, ended, or that somebody changed it."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

News: TypeAlias = Literal["state", "change"]

MOST_PLACES = 3
# Found by plain search: the patterns are slow, and few lines have one of these.
_SIGNS = tuple(
    sign.replace("_", " ")
    for sign in """
    submit submet start inici launch disparad ended terminou terminat finish finaliz encerr complet conclu normal_end
    cancel kill abort held retid releas liberad rerun reexecut restart reinici suspen resum confirm skip bypass queued
    enfileirad waiting aguardando hold_ ready late_ atrasad status state estado rc= return_code exit_ maxcc hasp ief40
    failed falhou exited has_begun ief45 execut running changed modif altera updated atualiz replaced substitu deploy
    implanta promot edited editad migrat installed rolled
    """.split()  # noqa: SIM905 a table of words
)
_HAPPENED = (
    r"(?:re-?)?(?:submitted|started|starting|launched|scheduled|queued|held|released|suspended|resumed|confirmed|skipped"
    r"|bypassed|cancell?ed|killed|aborted|ended|finished|completed|terminated|exited|run again|rerun|restart)"
    r"|(?:on|in) hold|waiting|ready|late|running|executing"
    r"|(?:re)?(?:submetid|iniciad|disparad|agendad|enfileirad|retid|liberad|suspens|confirmad|cancelad|abortad|encerrad"
    r"|finalizad|conclu[ií]d|executad|atrasad)[oa]|(?:re)?iniciou|terminou|finalizou|encerrou|concluiu|aguardando"
    r"|em (?:espera|execu[cç][aã]o)"
)
_AFTER = re.compile(
    r"[\"'\])]?[ \t:,;>-]{0,4}(?:[\w.]{1,30}=\S{1,100} {1,3}){0,6}(?:-+ ?)?"
    r"(?:(?:has|have|was|is|been|being|now|just|already|successfully|foi|está|já|job|on \S{1,40}) ){0,4}"
    rf"(?:{_HAPPENED})\b",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    rf"\b(?:{_HAPPENED}|submit|start|launch|hold|release|cancel|kill|confirm)(?: (?:of|for|the|a|o|do|da)){{0,2}}"
    r"(?: (?:job|jobname|tarefa))?[ =:#\"'\[]{1,3}\S{0,80}\Z",
    re.IGNORECASE,
)
_SAID = re.compile(
    r"\b(?:job[ _]?)?(?:status|state|estado)\b ?(?:=|:|->|is\b|was\b|now\b|changed|from\b|to\b|mudou|passou|alterad)"
    r"|\b(?:READY|EXEC|HOLD|SUCC|ABEND|FENCE|WAIT|INTRO|PEND|SCHED) ?-> ?[A-Z]{4,5}\b"
    r"|\b(?:rc|return code|exit code|exit status|maxcc|condition code|código de (?:retorno|saída))[ =:]{1,3}\d"
    r"|\bnormal end\b|\$HASP(?:100|165|373|395)\b|\bIEF40[34]I\b",
    re.IGNORECASE,
)
_THING = (
    r"(?:definition|definição|schedule|agenda|calendar|calendário|run cycle|ciclo|configuration|configuração|config"
    r"|parameters?|parâmetros?|script|jcl|procedure|proc|program|programa|version|versão|copybook|layout|schema|release"
    r"|package|pacote|priority|prioridade|dependency|dependência|variables?|variáve(?:l|is)|recovery option|deadline)"
)
_DONE = (
    r"(?:changed|modified|updated|replaced|edited|altered|deployed|promoted|migrated|installed|rolled back"
    r"|(?:alterad|modificad|atualizad|substituíd|editad|implantad|promovid|migrad|instalad)[oa]s?)"
)
_CHANGED = re.compile(
    rf"\b{_THING}s?\b[^.;|]{{0,50}}?\b{_DONE}\b|\b{_DONE}\b(?! (?:state|status))[^.;|]{{0,30}}?\b{_THING}s?\b",
    re.IGNORECASE,
)
_NOTHING = re.compile(r"\b(?:not|no|nothing|none|never|without|não|nada|nenhum\w?|sem)\b", re.IGNORECASE)
_NEAR_CHARS = 20
_WHO = re.compile(
    r"\b(?:by|por|user[= ]|usuário[= ])[ :]?(?:user )?[\"']?(?P<who>[A-Za-z][\w.@\\-]{1,60})", re.IGNORECASE
)


def may_be_news(lowered: str) -> bool:
    """Whether a line, in small letters, is worth a closer look."""
    for sign in _SIGNS:  # noqa: SIM110 a generator takes twice as long
        if sign in lowered:
            return True
    return False


def news_in(text: str, job: str) -> News | None:
    """What a line tells of a job that it names; None = nothing but what the job does all the time."""
    changed = _CHANGED.search(text)
    if changed and not _NOTHING.search(text, max(0, changed.start() - _NEAR_CHARS), changed.end()):
        return "change"
    if _SAID.search(text) or _is_about(text, job):
        return "state"
    return None


def who_in(text: str) -> str:
    """Who did it, where the line says so; "" = it doesn't."""
    match = _WHO.search(text)
    return match["who"] if match else ""


def _is_about(text: str, job: str) -> bool:
    """Whether what happened stands next to the job's name: then it happened to the job, not within it."""
    upper, wanted = text.upper(), job.upper()
    at = upper.find(wanted)
    if at < 0:  # a field of the record names it, and the text says what it did
        return _AFTER.match(text) is not None
    for _ in range(MOST_PLACES):
        if at < 0:
            return False
        end = at + len(wanted)
        if _AFTER.match(text, end) or _BEFORE.search(text, max(0, at - 140), at):
            return True
        at = upper.find(wanted, end)
    return False
