"""The source `command`: any program that can say something about an incident."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from fanfold.config.secret import Secret
from fanfold.config.settings import expanded
from fanfold.engine import BranchError, Done, fan_out
from fanfold.process import Completed, ProcessError, allowed_environment, find_program, run
from fanfold.redact import MASK, redact
from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.sources.given import Giver, parsed
from fanfold.troubleshoot.sources.placeholders import NAMES, filled, names_in, unknown_in, values_for
from fanfold.troubleshoot.sources.protocol import SourceError
from fanfold.troubleshoot.sources.settings import complaint, revealed, wrong

NAME = "command"
ENDING_S = 1.0
SHARE_OF_TIME = 0.97
LAST_LINES = 5
LAST_CHARS = 500
_UP = re.compile(r"(?<![^/\\])\.\.(?![^/\\])")


class CommandSettings(BaseModel):
    """Which program is asked, and how.

    Args:
        command: the program and its arguments; `{job}`, `{instance}`, `{message}`, `{codes}`, `{since}` and `{until}`
            stand for what the incident is about. There is no shell: an argument stays one argument. With `{job}` the
            program runs once for each job, and not at all where none is known.
        stdin: whether the incident goes to its standard input as JSON; default: where no argument has a placeholder.
        output: "json" = a list of objects with text, kind, subject, facts, codes, at, reference and score; "text" =
            lines; "auto" = whichever it is.
        env: variables that it may see beside the usual ones.
        secrets: variables that are set for it, by name.
        name: what reports call the source.
        timeout_s: seconds for all its runs.
        max_bytes: of its output.
        limit: runs at the same time, at most.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    command: Annotated[tuple[str, ...], Field(min_length=1)]
    stdin: bool | None = None
    output: Literal["auto", "json", "text"] = "auto"
    env: tuple[str, ...] = ()
    secrets: dict[str, Secret] = Field(default_factory=dict)
    name: Annotated[str, Field(min_length=1)] = NAME
    timeout_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 5.0
    max_bytes: Annotated[int, Field(ge=1_024)] = 1024 * 1024
    limit: Annotated[int, Field(ge=1)] = 4

    @field_validator("command")
    @classmethod
    def _is_one(cls, command: tuple[str, ...]) -> tuple[str, ...]:
        if not command[0].strip() or names_in(command[0]):
            raise wrong("must begin with a program, which is no placeholder")
        if unknown := unknown_in(list(command)):
            raise wrong(f"has an unknown placeholder {{{unknown}}}; there are {', '.join(NAMES)}")
        return command


class Command:
    """Runs a program for each incident, and reads what it prints.

    Args:
        settings: which program, and how.
        root: the folder that it runs in, and that its path starts from.
    """

    def __init__(self, settings: CommandSettings, root: Path) -> None:
        self._settings, self._root = settings, root
        self._secrets: dict[str, str] = {}

    @classmethod
    def make(cls, settings: Mapping[str, object], root: Path) -> Command:
        """The source with the settings of its table; see `CommandSettings`.

        Raises:
            SourceError: a setting is unknown or wrong.
        """
        values = {key.replace("-", "_"): value for key, value in settings.items()}
        try:
            told = CommandSettings.model_validate(values, context={"root": root})
        except ValidationError as error:
            raise complaint(error, NAME, tuple(CommandSettings.model_fields)) from None
        return cls(told, root)

    @property
    def name(self) -> str:
        """What reports call it."""
        return self._settings.name

    @property
    def timeout_s(self) -> float:
        """Seconds until its answer is no longer waited for."""
        return self._settings.timeout_s

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """The secrets that the program gets, as long as the block; nothing runs yet.

        Raises:
            SourceError: a secret can't be read.
        """
        self._secrets = await asyncio.to_thread(
            lambda: {name: revealed(secret) for name, secret in self._settings.secrets.items()}
        )
        try:
            yield
        finally:
            self._secrets = {}

    async def ask(self, incident: Incident) -> Sequence[Evidence]:
        """What the program says, once for each job where it is asked about jobs.

        Raises:
            SourceError: it can't be started, fails or takes too long; with its last words.
        """
        # What a run that is cut off printed has to be read yet, and the run itself to be ended.
        until_s = asyncio.get_running_loop().time() + max(self.timeout_s / 2, self.timeout_s - ENDING_S)
        arguments = list(self._settings.command[1:])
        runs = [(filled(arguments, values), values.get("job", "")) for values in values_for(incident, arguments)]
        if not runs:
            return [self._not_asked()]

        async def said(key: str) -> list[Evidence]:
            given, job = runs[int(key)]
            return await self._said(given, job, incident, until_s)

        keys = [str(index) for index in range(len(runs))]
        outcomes = await fan_out(
            said, keys, limit=self._settings.limit, total_deadline_s=SHARE_OF_TIME * self.timeout_s
        )
        evidence = [piece for outcome in outcomes if isinstance(outcome, Done) for piece in outcome.value]
        failed = [outcome.error for outcome in outcomes if not isinstance(outcome, Done)]
        if failed and len(failed) == len(outcomes):
            raise self._why(failed[0])
        return [*evidence, *(self._note(self._why(error).message) for error in failed)]

    async def _said(self, arguments: Sequence[str], job: str, incident: Incident, until_s: float) -> list[Evidence]:
        self._refuse_what_means_more(arguments)
        has_placeholders = bool(names_in(list(self._settings.command)))
        with_stdin = self._settings.stdin if self._settings.stdin is not None else not has_placeholders
        deadline_s = until_s - asyncio.get_running_loop().time()
        if deadline_s <= 0:
            raise SourceError(f"{self._shown} was not run: there was no time left", hint="raise timeout_s or limit")
        try:
            done = await run(
                [await asyncio.to_thread(self._program), *arguments],
                cwd=self._root,
                env=allowed_environment(self._settings.env, self._secrets),
                stdin=as_json(incident) if with_stdin else b"",
                deadline_s=deadline_s,
                max_bytes=self._settings.max_bytes,
            )
        except ProcessError as error:
            raise SourceError(error.message, hint=error.hint) from None
        subject = job or next(iter(incident.jobs), "") or self.name
        if done.timed_out and (evidence := await asyncio.to_thread(self._read_by_then, done, subject)):
            return [*evidence, self._note(f"{self._shown} did not end in time: this is what it had printed by then")]
        self._check(done, deadline_s)
        return await asyncio.to_thread(self._read, done, subject)

    def _read_by_then(self, done: Completed, subject: str) -> list[Evidence]:
        """What whole lines say of a run that was cut off; a document that isn't complete says nothing."""
        whole = done.stdout[: done.stdout.rfind(b"\n") + 1]
        if whole.lstrip()[:1] in (b"[", b"{") and parsed(whole.decode(errors="replace")) is None:
            return []
        try:
            return self._read(dataclasses.replace(done, stdout=whole), subject)
        except SourceError:
            return []

    def _read(self, done: Completed, subject: str) -> list[Evidence]:
        giver, text = Giver(self.name, subject), self._masked(done.stdout)
        data = None if self._settings.output == "text" else parsed(text)
        if data is not None:
            return giver.from_data(data)
        if text.strip() and (self._settings.output == "json" or (done.truncated and text.lstrip()[:1] in ("[", "{"))):
            why = f"more than {self._settings.max_bytes} bytes" if done.truncated else "something else"
            raise SourceError(
                f"{self._shown} should have printed JSON, and printed {why}", hint="see its output setting"
            )
        notes = giver.from_lines(text)
        cut = self._note(f"its output was cut after {self._settings.max_bytes} bytes") if done.truncated else None
        return [*notes, cut] if cut else notes

    def _check(self, done: Completed, deadline_s: float) -> None:
        lines = [line.strip() for line in self._masked(done.stderr or done.stdout).splitlines() if line.strip()]
        words = "\n".join(lines[-LAST_LINES:])[-LAST_CHARS:] or "it said nothing"
        if done.timed_out:
            raise SourceError(f"{self._shown} did not end within {deadline_s:.3g} s: {words}", hint="raise timeout_s")
        if done.returncode:
            raise SourceError(f"{self._shown} ended with exit code {done.returncode}: {words}", hint="run it by hand")

    def _masked(self, output: bytes) -> str:
        text = output.decode(errors="replace")
        for value in sorted(self._secrets.values(), key=len, reverse=True):
            text = text.replace(value, MASK)
        return redact(text)

    def _program(self) -> str:
        program = self._settings.command[0]
        if os.sep in program:
            return str(self._root / expanded(program))
        return str(find_program(program) or program)

    @property
    def _shown(self) -> str:
        return Path(self._settings.command[0]).name

    def _refuse_what_means_more(self, arguments: Sequence[str]) -> None:
        """A name is an option to a program where it begins with a dash, and leads out of a folder by two dots."""
        for template, argument in zip(self._settings.command[1:], arguments, strict=True):
            if argument.startswith("-") and template.startswith("{"):
                raise SourceError(
                    f"{self._shown} would take {argument[:40]!r} for an option", hint="ask about it in other words"
                )
            if _UP.search(argument) and not _UP.search(template):
                raise SourceError(
                    f"{argument[:40]!r} would lead {self._shown} to another folder", hint="ask about it in other words"
                )

    def _why(self, error: Exception) -> SourceError:
        if isinstance(error, SourceError):
            return error
        if isinstance(error, BranchError):
            return SourceError(f"{self._shown} did not end within {self.timeout_s:g} s", hint="raise timeout_s")
        return SourceError(f"{self._shown} can't be asked: {type(error).__name__}: {error}")

    def _not_asked(self) -> Evidence:
        return self._note("not asked: it is asked about jobs, and no job is known")

    def _note(self, text: str) -> Evidence:
        return Evidence(source=self.name, kind="note", subject=self.name, text=text)


def as_json(incident: Incident) -> bytes:
    """The incident as one line of JSON; times are ISO 8601 with a zone."""
    told: dict[str, Any] = dataclasses.asdict(incident)
    told |= {"now": incident.now.isoformat(), "at": incident.at.isoformat() if incident.at else None}
    return json.dumps(told | {"until": incident.until.isoformat()}, ensure_ascii=False).encode(errors="replace") + b"\n"
