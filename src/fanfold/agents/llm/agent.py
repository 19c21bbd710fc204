"""The agent: it asks a model about a file's findings, and makes the edits of its answer once they are valid."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from fanfold.agents.llm.answer import Edits, in_words
from fanfold.agents.llm.apply import applied
from fanfold.agents.llm.asked import Asked as Question
from fanfold.agents.llm.asked import question, refusal_told
from fanfold.agents.llm.options import LlmOptions, options_of
from fanfold.agents.llm.outline import Outline
from fanfold.agents.llm.small import SmallSteps
from fanfold.agents.llm.text import Text
from fanfold.agents.llm.turn import keeping_slot
from fanfold.agents.protocol import AgentError, AgentUnusable, Assignment, Report
from fanfold.agents.registry import AgentSettings
from fanfold.agents.ruff import Ruff
from fanfold.config import ConfigError
from fanfold.llm import AnswerUnusable, InWords, Model, ModelError, ModelUnusable, Refused

PYTHON = frozenset({".py", ".pyi"})


@dataclass
class Llm:
    """Fixes with a language model; all attempts of a run share its limits.

    Args:
        name: what the user calls it.
        options: which model, and its limits.
        model: to be asked, not connected yet.
    """

    name: str
    options: LlmOptions
    model: Model
    deterministic: bool = False
    argument: ClassVar[str] = "model"
    _unusable: str = field(default="", repr=False)

    @classmethod
    def make(cls, settings: AgentSettings) -> Llm:
        """The agent; nothing is sent yet.

        Raises:
            AgentUnusable: no such model, a package or a key is missing, or a setting is wrong.
        """
        options = options_of(settings)
        try:
            return cls(settings.name, options, Model.of(options))
        except (ModelUnusable, ConfigError) as error:
            raise AgentUnusable(f"agent {settings.name!r}: {error.message}", hint=error.hint) from None

    async def work(self, assignment: Assignment) -> Report:
        """Ask, and write what was answered into the file once all of it is valid.

        Raises:
            AgentError: the model can't be asked, or gives no answer.
            BudgetExhausted: the next request might take more than is left.
        """
        if self._unusable:
            raise AgentError(self._unusable)
        try:
            file = await asyncio.to_thread(_opened, assignment)
        except UnicodeDecodeError:
            return Report(summary="left alone: not UTF-8")
        if file is None:
            return Report(summary="left alone: no regular file of source code")
        try:
            async with self.model.opened():
                return await _Attempt(self.options, self.model, assignment, file).made()
        except ModelError as error:
            raise self._failed(error) from error

    def _failed(self, error: ModelError) -> AgentError:
        if isinstance(error, ModelUnusable):
            self._unusable = error.message  # every other request would fail, too
        failure = AgentError(error.message, hint=error.hint)
        failure.usage = error.usage
        return failure


@dataclass
class _Attempt:
    """One attempt at one file."""

    options: LlmOptions
    model: Model
    assignment: Assignment
    file: Text

    async def made(self) -> Report:
        if self.options.small:
            return await self._in_small_steps()
        asked = await asyncio.to_thread(self._question)
        made: list[str] = [self.file.text]
        try:
            with keeping_slot():
                answer = await self.model.ask(
                    asked.prompt,
                    Edits,
                    instructions=asked.instructions,
                    check=lambda edits: self._check(edits, made),
                    in_words=InWords(asked.in_words, self._in_words),
                    purse=self.assignment.purse,
                )
        except AnswerUnusable as error:
            return Report(summary=error.message, refused=(error.message,), transcript=error.said, usage=error.usage)
        if made[-1] != self.file.text:
            await self._write(made[-1])
        return Report(summary=_summary(answer.output), transcript=answer.said, usage=answer.usage)

    def _question(self) -> Question:
        outline = Outline.of(self.file.text) if self._is_python else None
        return question(self.assignment, self.file.text, outline, self.options.shown_tokens)

    @property
    def _is_python(self) -> bool:
        return Path(self.assignment.path).suffix in PYTHON

    async def _check(self, edits: Edits, made: list[str]) -> None:
        try:
            made.append(await asyncio.to_thread(applied, edits, self.file, is_python=self._is_python))
        except Refused as refusal:
            raise refusal_told(refusal, self.assignment.material.templates) from refusal

    def _in_words(self, answer: str) -> Edits:
        try:
            return in_words(answer)
        except Refused as refusal:
            raise refusal_told(refusal, self.assignment.material.templates) from refusal

    async def _in_small_steps(self) -> Report:
        steps = SmallSteps(self.assignment, self.model, self.file, self.options.shown_tokens, self._write)
        try:
            await steps.work()
        except ModelError as error:
            error.usage = steps.usage + error.usage
            if not steps.kept:
                raise
            steps.notes.append(error.message)
        summary = f"{steps.kept} answers kept"
        return Report(summary, tuple(steps.notes), "\n".join(steps.said), steps.usage)

    async def _write(self, text: str) -> None:
        await asyncio.to_thread(self.file.write, text)
        if self.assignment.formats and (ruff := self.assignment.commands.get("ruff")):
            await Ruff(ruff, self.assignment.root, self.assignment.path).format()


def _opened(assignment: Assignment) -> Text | None:
    path = assignment.root / assignment.path
    if path.is_symlink() or not path.is_file() or path.suffix == ".ipynb":
        return None
    return Text.open(path)


def _summary(edits: Edits) -> str:
    count = len(edits.replacements) + len(edits.definitions)
    note = " ".join(edits.note.split())[:300]
    return f"{count or 'no'} edit{'' if count == 1 else 's'}{f': {note}' if note else ''}"
