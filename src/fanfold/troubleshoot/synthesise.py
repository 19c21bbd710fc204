"""Have a language model write the answer; what the rules found stays, and every claim of the model is checked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from fanfold.llm import Model, ModelSettings, exported
from fanfold.troubleshoot.answer import Answer, Claim, Hypothesis
from fanfold.troubleshoot.prompts import Prompts, PromptType
from fanfold.troubleshoot.rules.wording import causes
from fanfold.troubleshoot.shown import Shown, conclusions_data, fitted, incident_data, tokens_of
from fanfold.troubleshoot.written import Check, Written, what

if TYPE_CHECKING:
    from fanfold.troubleshoot.flow import Writer

LOG = logging.getLogger(__name__)
LANGUAGES = {"en": "English", "pt": "Brazilian Portuguese"}
MAX_PROMPT_TOKENS = 16_000


class ModelWriter:
    """Writes with a language model, which may add hypotheses and words and can take nothing away.

    The status is the rules' own, their first hypothesis stays the first, and their words stay in front of the model's:
    whatever text in the evidence talks the model into, it can't make a failure look well. Claims that cite nothing, or
    what isn't there, are dropped and counted; if nothing that it says of the cause is left, the rules' answer stands.

    Args:
        prompts: None = Fanfold's own.
        max_prompt_tokens: about how much the model is shown; evidence that doesn't fit is left out, and named.
    """

    def __init__(
        self, model: Model, *, prompts: Prompts | None = None, max_prompt_tokens: int = MAX_PROMPT_TOKENS
    ) -> None:
        self._model, self._prompts, self._max_prompt_tokens = model, prompts or Prompts.read(), max_prompt_tokens

    @property
    def model(self) -> Model:
        """Who writes; `used` says what that took."""
        return self._model

    async def write(self, answer: Answer) -> Answer:
        """The answer with what the model adds.

        Raises:
            ModelError: the model gave no answer.
        """
        instructions = self._instructions(answer)
        # Hundreds of pieces take a tenth of a second to mask.
        shown, prompt = await asyncio.to_thread(self._shown, answer, instructions)
        asked = await self._model.ask(prompt, Written, instructions=instructions)
        check = Check(answer.incident, shown.evidence)
        written = together(answer, asked.output, check, by=asked.model)
        LOG.info("answer_written", extra={"by": written.written_by, "dropped_claims": written.dropped_claims})
        return written

    def _shown(self, answer: Answer, instructions: str) -> tuple[Shown, str]:
        taken = tokens_of(instructions + self._prompt(answer, Shown()))
        shown = fitted(answer, self._max_prompt_tokens - taken)
        return shown, self._prompt(answer, shown)

    def _instructions(self, answer: Answer) -> str:
        listed = "\n".join(f"- {name}: {_sentence(said['en'])}" for name, said in causes().items())
        language = LANGUAGES[answer.incident.language]
        return self._prompts.fill(PromptType.TROUBLESHOOT_SYSTEM, language=language, causes=listed)

    def _prompt(self, answer: Answer, shown: Shown) -> str:
        return self._prompts.fill(
            PromptType.TROUBLESHOOT_ANSWER,
            incident=incident_data(answer),
            conclusions=conclusions_data(answer),
            evidence=shown.text,
            left_out=shown.left_out_ids,
        )


class LateWriter:
    """Connects its model when it is first asked to write: most of the time that takes is spent on imports.

    Args:
        stack: holds the connections.
    """

    def __init__(
        self, settings: ModelSettings, stack: AsyncExitStack, *, prompts: Prompts | None, max_prompt_tokens: int
    ) -> None:
        self._settings, self._stack = settings, stack
        self._prompts, self._max_prompt_tokens = prompts, max_prompt_tokens
        self._connecting = asyncio.Lock()
        self._writer: ModelWriter | None = None

    async def write(self, answer: Answer) -> Answer:
        """The answer with what the model adds.

        Raises:
            FanfoldError: there is no model with such settings, or it gave no answer.
        """
        async with self._connecting:
            self._writer = self._writer or await self._connected()
        return await self._writer.write(answer)

    async def _connected(self) -> ModelWriter:
        off = self._settings.tracing == "off"
        spans = None if off else await self._stack.enter_async_context(exported())
        model = await self._stack.enter_async_context(Model.connect(self._settings, tracer_provider=spans))
        return ModelWriter(model, prompts=self._prompts, max_prompt_tokens=self._max_prompt_tokens)


@asynccontextmanager
async def opened_writer(
    settings: ModelSettings | None, *, prompts: Prompts | None = None, max_prompt_tokens: int = MAX_PROMPT_TOKENS
) -> AsyncIterator[Writer | None]:
    """The writer that settings name; its model is connected once it is needed, until the block ends.

    None = no model is wanted. A model that can't be connected says so when it is to write.
    """
    async with AsyncExitStack() as stack:
        if settings is None:
            yield None
        else:
            yield LateWriter(settings, stack, prompts=prompts, max_prompt_tokens=max_prompt_tokens)


def together(answer: Answer, written: Written, check: Check, *, by: str) -> Answer:
    """The rules' answer and what stands of the model's."""
    summary = check.claims([written.summary] if written.summary else [])
    # Where nothing is wrong, a model is not the one to say that something is.
    given = () if answer.status == "healthy" else check.hypotheses(written.hypotheses)
    blast_radius = check.claims(written.blast_radius)
    next_steps = check.claims(written.next_steps)
    prevention = check.claims(written.prevention)
    dropped = answer.dropped_claims + check.dropped
    if not given and (answer.status == "cause" or not summary):
        return replace(answer, dropped_claims=dropped)
    return replace(
        answer,
        summary="\n\n".join([answer.summary, *map(_cited, summary)]),
        hypotheses=_ranked(answer.hypotheses, given),
        blast_radius=_joined(answer.blast_radius, blast_radius),
        next_steps=_joined(answer.next_steps, next_steps),
        prevention=_joined(answer.prevention, prevention),
        dropped_claims=dropped,
        written_by=by,
    )


def _ranked(found: Sequence[Hypothesis], given: Sequence[Hypothesis]) -> tuple[Hypothesis, ...]:
    """All hypotheses; the rules' first stays the first, for evidence can talk a model round, and not a rule."""
    words = {what(hypothesis): hypothesis for hypothesis in given}
    ours = [_agreed(hypothesis, words.pop(what(hypothesis), None)) for hypothesis in found]
    if not ours:
        return tuple(given)
    first, *rest = ours
    added = [replace(each, confidence=min(each.confidence, first.confidence)) for each in words.values()]
    return first, *sorted([*rest, *added], key=lambda each: -each.confidence)


def _agreed(ours: Hypothesis, theirs: Hypothesis | None) -> Hypothesis:
    if theirs is None:
        return ours
    against = dict.fromkeys((*ours.against, *theirs.against))
    evidence = tuple(dict.fromkeys((*ours.evidence, *theirs.evidence)))
    return replace(
        ours,
        text=ours.text if theirs.text == ours.text else f"{ours.text.rstrip('.')}. {theirs.text}",
        evidence=tuple(each for each in evidence if each in ours.evidence or each not in ours.against),
        against=tuple(each for each in against if each not in evidence),
    )


def _joined(ours: Sequence[Claim], theirs: Sequence[Claim]) -> tuple[Claim, ...]:
    said = {claim.text.casefold() for claim in ours}
    return (*ours, *(claim for claim in theirs if claim.text.casefold() not in said))


def _cited(claim: Claim) -> str:
    return f"{claim.text} [{', '.join(claim.evidence)}]"


def _sentence(said: str) -> str:
    return said.replace("{object}", "OBJECT").replace("{job}", "JOB")
