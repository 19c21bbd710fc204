"""The agent: it asks a model about a file's findings, and makes the edits of its answer once they are valid."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from fanfold.agents.llm.answer import Edits, in_words
from fanfold.agents.llm.apply import applied
from fanfold.agents.llm.options import LlmOptions, options_of
from fanfold.agents.llm.prompt import prompt_for, refusals_told
from fanfold.agents.llm.small import SmallSteps
from fanfold.agents.llm.text import Text
from fanfold.agents.llm.turn import keeping_slot
from fanfold.agents.protocol import AgentError, AgentUnusable, Assignment, Report
from fanfold.agents.registry import AgentSettings
from fanfold.agents.ruff import Ruff
from fanfold.config import ConfigError
from fanfold.llm import AnswerUnusable, InWords, Model, ModelError, ModelUnusable, Unpaid, Usage

FREE = Usage(cost_usd=0.0)
"""Where nothing was asked."""
LEFT_ALONE = "left alone: no regular file of source code in UTF-8"


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
    reserves: ClassVar[bool] = True
    argument: ClassVar[str] = "model"
    _unusable: ModelUnusable | None = field(default=None, repr=False)

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

    @property
    def price_known(self) -> bool:
        """Whether anybody knows what a request costs."""
        return self.model.price_known

    async def work(self, assignment: Assignment) -> Report:
        """Ask, and write what was answered into the files once all of it is valid.

        Raises:
            AgentError: the model can't be asked, or gives no answer.
            BudgetExhausted: the next request might take more than is left.
        """
        if self._unusable is not None:
            raise self._failed(self._unusable)
        paths = (assignment.path, *assignment.others)
        file, *others = await asyncio.to_thread(lambda: [_opened(assignment.root, path) for path in paths])
        if file is None:
            return Report(summary=LEFT_ALONE, refused=(LEFT_ALONE,), usage=FREE)
        files = (file, *(other for other in others if other is not None))
        try:
            async with self.model.opened():
                return await _Attempt(self.options, self.model, assignment, files).work()
        except ModelError as error:
            raise self._failed(error) from error

    def _failed(self, error: ModelError) -> AgentError:
        if isinstance(error, ModelUnusable):
            self._unusable = error  # every other request would fail, too
        over = error.why if isinstance(error, Unpaid) else None
        failure = over if isinstance(over, AgentError) else AgentError(error.message, hint=error.hint)
        failure.usage, failure.transcript, failure.again = error.usage, error.said, self._unusable is None
        return failure


@dataclass
class _Attempt:
    """One attempt at one file.

    Args:
        files: that file, then others that may be changed, too.
    """

    options: LlmOptions
    model: Model
    assignment: Assignment
    files: tuple[Text, ...]
    made: Mapping[str, str] = field(default_factory=dict)

    async def work(self) -> Report:
        """Ask and write; whatever is raised, nothing was written by then but what was verified."""
        if self.options.small:
            return await self._in_small_steps()
        prompt = await asyncio.to_thread(prompt_for, self.assignment, self.files, self.options.shown_tokens)
        try:
            with keeping_slot():
                answer = await self.model.ask(
                    prompt.text,
                    Edits,
                    instructions=prompt.instructions,
                    check=self._check,
                    in_words=InWords(prompt.in_words, self._in_words),
                    purse=self.assignment.purse,
                )
        except AnswerUnusable as error:
            return Report(summary=error.message, refused=(error.message,), transcript=error.said, usage=error.usage)
        for file in self.files:
            if file.path in self.made:
                await self._write(file, self.made[file.path])
        return Report(summary=_summary(answer.output), transcript=answer.said, usage=answer.usage)

    async def _check(self, edits: Edits) -> None:
        with refusals_told(self.assignment.material.templates):
            self.made = await asyncio.to_thread(applied, edits, self.files)

    def _in_words(self, answer: str) -> Edits:
        with refusals_told(self.assignment.material.templates):
            return in_words(answer)

    async def _in_small_steps(self) -> Report:
        file = self.files[0]
        steps = SmallSteps(
            self.assignment, self.model, file, self.options.shown_tokens, write=lambda text: self._write(file, text)
        )
        try:
            await steps.work()
        except ModelError as error:
            steps.usage += error.usage
            steps.said.append(error.said)
            if not steps.kept or isinstance(error, Unpaid):
                error.usage, error.said = steps.usage, "\n".join(steps.said)
                raise
            steps.notes.append(error.message)
        summary = f"{steps.kept} answer{'' if steps.kept == 1 else 's'} kept"
        return Report(summary, tuple(steps.notes), "\n".join(steps.said), steps.usage)

    async def _write(self, file: Text, text: str) -> None:
        """Put a text into its file, formatted if the file was kept so."""
        command = self.assignment.commands.get("ruff")
        ruff = Ruff(command, self.assignment.root, file.path) if command and self.assignment.formats else None
        # Whether the project keeps its files formatted is known; of this one, only where the findings are in it.
        if ruff and file is not self.files[0] and not await _is_formatted(file, ruff):
            ruff = None
        await asyncio.to_thread(file.write, text)
        if ruff:
            await ruff.format()


async def _is_formatted(file: Text, ruff: Ruff) -> bool:
    """Whether a file, as it is on disk, is as the formatter leaves it; if not, it isn't as before any more."""
    before = await asyncio.to_thread(file.target.path.read_bytes)
    await ruff.format()
    return before == await asyncio.to_thread(file.target.path.read_bytes)


def _opened(root: Path, path: str) -> Text | None:
    """A file that can be worked on; None where it can't."""
    file = root / path
    if file.is_symlink() or not file.is_file() or file.suffix == ".ipynb":
        return None
    try:
        return Text.open(root, path)
    except UnicodeDecodeError:
        return None


def _summary(edits: Edits) -> str:
    count = len(edits.replacements) + len(edits.definitions)
    note = " ".join(edits.note.split())[:300]
    return f"{count or 'no'} edit{'' if count == 1 else 's'}{f': {note}' if note else ''}"
