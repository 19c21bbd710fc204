"""What is said: texts of causes, and sentences, in English and Portuguese."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from typing import Any, Final

from fanfold.troubleshoot.incident import Language
from fanfold.troubleshoot.rules.signatures import FOLDER

_SENTENCES: Final[Mapping[Language, Mapping[str, str]]] = {
    "en": {
        "job": "what failed",
        "object": "something that is not named",
        "cause": "{text} ({score:.0%}) [{ids}].",
        "cause_of": "{jobs}: {text} ({score:.0%}) [{ids}].",
        "waits": "{job} waits for {other} [{ids}].",
        "changed": "{other}, which comes before {job}, was changed {hours} h before that [{ids}].",
        "compare": "Compare what {other} writes with what {job} expects: it was changed {hours} h before the failure",
        "well": "{job} is well: {why} [{ids}].",
        "ended": "it ended well",
        "running": "it runs within its usual time",
        "waiting": "it waits for a job that runs within its usual time",
        "failed_before": "it failed before and has ended well since",
        "overrun": "{job} has been running for {times} times its usual duration [{ids}].",
        "healthy": "Nothing is wrong as far as can be seen.",
        "unknown": "No cause was found in what the sources say.",
        "absent": "There is no job {job} in the plan.",
        "abstained": "Too few sources answered to say anything: {count} of at least {least}.",
        "source": "{source} did not answer: {error}",
        "no_log": "the job log of {job}",
        "no_state": "what the scheduler says of {job}",
        "no_lines": "log lines of {job} around the failure",
        "no_job": "which job is meant: {job} is not in the plan",
        "nothing": "what failed, and since when: no evidence is about it",
        "holds": "{other} comes after {job} and is held up ({status})",
        "runs_after": "{other} comes after {job} ({status})",
        "calls": "{other} depends on {job}",
        "step": "{title}: {step}",
    },
    "pt": {
        "job": "o que falhou",
        "object": "algo que não é nomeado",
        "cause": "{text} ({score:.0%}) [{ids}].",
        "cause_of": "{jobs}: {text} ({score:.0%}) [{ids}].",
        "waits": "{job} espera por {other} [{ids}].",
        "changed": "{other}, que vem antes de {job}, foi alterado {hours} h antes disso [{ids}].",
        "compare": "Compare o que {other} grava com o que {job} espera: foi alterado {hours} h antes da falha",
        "well": "{job} está bem: {why} [{ids}].",
        "ended": "terminou bem",
        "running": "está rodando dentro do tempo usual",
        "waiting": "espera por um job que roda dentro do tempo usual",
        "failed_before": "falhou antes e depois terminou bem",
        "overrun": "{job} está rodando há {times} vezes a duração usual [{ids}].",
        "healthy": "Nada de errado, até onde se pode ver.",
        "unknown": "Nenhuma causa foi encontrada no que as fontes dizem.",
        "absent": "Não há job {job} no plano.",
        "abstained": "Poucas fontes responderam para dizer algo: {count} de pelo menos {least}.",
        "source": "{source} não respondeu: {error}",
        "no_log": "o log do job {job}",
        "no_state": "o que o agendador diz de {job}",
        "no_lines": "linhas de log de {job} em torno da falha",
        "no_job": "de qual job se trata: {job} não está no plano",
        "nothing": "o que falhou e desde quando: nenhuma evidência trata disso",
        "holds": "{other} vem depois de {job} e fica parado ({status})",
        "runs_after": "{other} vem depois de {job} ({status})",
        "calls": "{other} depende de {job}",
        "step": "{title}: {step}",
    },
}


@functools.cache
def causes() -> Mapping[str, Mapping[str, Any]]:
    """The classes of causes with their texts."""
    return tomllib.loads((FOLDER / "causes.toml").read_text("utf-8"))


def say(language: Language, name: str, **parts: object) -> str:
    """One sentence; what is put into it is never read as a sentence itself."""
    return _SENTENCES[language][name].format(**parts)


def cause_text(language: Language, cause: str, *, about: str, job: str) -> str:
    """What a cause is, in words; of a job and of what that met, of only one of them where only that is known."""
    texts = causes()[cause]
    form = f"{language}_no_job" if not job else f"{language}_no_object" if about.upper() in ("", job.upper()) else ""
    return _filled(texts.get(form, texts[language]), language, about, job)


def cause_list(language: Language, cause: str, what: str, *, about: str, job: str) -> tuple[str, ...]:
    """The steps or the prevention of a cause, but those that make sense only of a job and of what that met."""
    texts = causes()[cause].get(f"{what}_{language}", ())
    if about.upper() in ("", job.upper()):
        texts = [text for text in texts if "{object}" not in text or "{job}" not in text]
    return tuple(_filled(text, language, about, job) for text in texts)


def _filled(text: str, language: Language, about: str, job: str) -> str:
    return text.format(object=about or say(language, "object"), job=job or say(language, "job"))
