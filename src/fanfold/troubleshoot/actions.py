"""Do one thing to one job: planned first, done when it is confirmed, written down before and after."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import shlex
import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from platformdirs import user_state_path

from fanfold.errors import FanfoldError
from fanfold.redact import redact
from fanfold.troubleshoot.answer import Answer
from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.route import route
from fanfold.troubleshoot.sources.protocol import Source, SourceError

if TYPE_CHECKING:
    from fanfold.troubleshoot.sources.workload import Act, Action, Justification

SCHEDULER: Final = "tws_status"
RERUN_AFTER: Final = frozenset({"ABEND", "FAIL", "ERROR"})
VERBS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("rerun", "restart", "reexecutar", "reexecute", "reiniciar", "rode"), "rerun"),
    **dict.fromkeys(("reprocesse", "reprocessar"), "rerun"),
    **dict.fromkeys(("hold", "segurar"), "hold"),
    **dict.fromkeys(("release", "liberar", "libere"), "release"),
    **dict.fromkeys(("confirm", "confirmar"), "confirm-succ"),
    **dict.fromkeys(("cancel", "cancelar", "cancele"), "cancel"),
    **dict.fromkeys(("kill", "matar"), "kill"),
}
"""What the words of a message ask for."""


class AuditError(FanfoldError):
    """What is done can't be written down, so it isn't done."""


@runtime_checkable
class Actor(Protocol):
    """A source that can also act."""

    async def act(
        self,
        action: Action,
        job: str,
        *,
        instance: str | None = None,
        justification: Justification | None = None,
        dry_run: bool = True,
        expected_status: str | None = None,
    ) -> Act:
        """Do one thing to one job, or, as a dry run, say what would be sent."""


def default_audit_file() -> Path:
    """Where actions are written down unless the configuration says otherwise."""
    return user_state_path("fanfold", appauthor=False) / "actions.jsonl"


def actor_among(sources: Mapping[str, Source]) -> tuple[Source, Actor]:
    """The scheduler that can act.

    Raises:
        SourceError: none is configured.
    """
    source = sources.get(SCHEDULER)
    if source is None or not isinstance(source, Actor):
        raise SourceError("no scheduler is configured that can act", hint=f"write [troubleshoot.sources.{SCHEDULER}]")
    return source, source


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """A file with a line of JSON for each thing that was begun, and another for how it ended.

    Attributes:
        who, host: who acts from where.
    """

    path: Path
    who: str = field(default_factory=_user)
    host: str = field(default_factory=socket.gethostname)

    def write(self, outcome: str, id_: str, act: Act, *, instance: str | None, **more: str) -> None:
        """Append a line, and see it on the disk.

        Raises:
            AuditError: it can't be written.
        """
        record = {
            "at": datetime.now(UTC).isoformat(),
            "id": id_,
            "outcome": outcome,
            "who": self.who,
            "host": self.host,
            "action": act.action,
            "job": act.job,
            "job_id": act.id,
            "workstation": act.workstation,
            "instance": instance,
            "status_before": act.status,
            "url": act.url,
            "justification": {name: redact(value) for name, value in act.headers.items()},
            **{name: redact(value) for name, value in more.items()},
        }
        try:
            self._append(json.dumps(record, ensure_ascii=False) + "\n")
        except OSError as error:
            raise AuditError(
                f"{self.path} can't be written: {error.strerror}", hint="set audit_file to one that can"
            ) from None

    def _append(self, line: str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        number = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(number, line.encode("utf-8", "backslashreplace"))
            os.fsync(number)
        finally:
            os.close(number)


async def perform(
    actor: Actor, planned: Act, audit: Audit, *, instance: str | None, justification: Justification
) -> Act:
    """Do what was planned, to the job that it was planned for, if that is still in the same state.

    Args:
        actor: open.
        planned: the dry run that was shown and confirmed.
    Raises:
        AuditError: it can't be written down; nothing was done.
        SourceError: the scheduler refuses, or the job's state has changed.
    """
    id_ = uuid.uuid4().hex
    await asyncio.to_thread(audit.write, "begun", id_, planned, instance=instance)
    outcome, more = "unknown", dict[str, str]()
    try:
        done = await actor.act(
            planned.action,
            planned.id,
            instance=instance,
            justification=justification,
            dry_run=False,
            expected_status=planned.status,
        )
        outcome, more = "done", {"status_after": done.status_after}
    except SourceError as error:
        outcome, more = "failed", {"error": error.message}
        raise
    finally:  # whatever ends it: what was begun and has no end in the file may have been done
        await asyncio.to_thread(audit.write, outcome, id_, planned, instance=instance, **more)
    return done


def proposed(answer: Answer) -> tuple[str, ...]:
    """Commands for the jobs that an answer is about; nothing runs them but the operator."""
    wanted = _wanted(answer.incident.message)
    jobs = [piece for piece in answer.evidence if piece.kind == "job" and _is_asked_about(piece, answer.incident)]
    commands = [_command(action, piece, answer.incident) for piece in jobs for action in wanted]
    if answer.status == "cause":
        failed = (piece for piece in jobs if piece.facts.get("status") in RERUN_AFTER)
        commands += [_command("rerun", piece, answer.incident) for piece in failed]
    return tuple(dict.fromkeys(commands))


def _wanted(message: str) -> tuple[str, ...]:
    """What a message asks to be done."""
    read = route(message)
    if read.intent != "action":
        return ()
    return tuple(dict.fromkeys(VERBS[word] for word in read.why if word in VERBS))


def _is_asked_about(piece: Evidence, incident: Incident) -> bool:
    return not incident.jobs or piece.subject.upper() in (job.rpartition(".")[2].upper() for job in incident.jobs)


def _command(action: str, piece: Evidence, incident: Incident) -> str:
    job = str(piece.facts.get("job") or piece.subject)
    stream = piece.facts.get("jobstream")
    name = f"{stream}.{job}" if stream and "." not in job else job
    instance = f" --instance {shlex.quote(incident.instance)}" if incident.instance else ""
    return f"fanfold incident act {action} {shlex.quote(name)}{instance} --justification 'why'"


def as_data(act: Act) -> dict[str, Any]:
    """An act as JSON has it."""
    names = ("action", "job", "id", "workstation", "status", "method", "url", "performed", "status_after")
    return {**{name: getattr(act, name) for name in names}, "headers": dict(act.headers)}
