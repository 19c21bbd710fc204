"""`fanfold incident`: answer from saved evidence; act on one job, when that was confirmed."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from fanfold.cli.output import emit, tell, visible
from fanfold.cli.troubleshoot import UsageError, exit_code, rendered_answer
from fanfold.config import project_root
from fanfold.troubleshoot.actions import Audit, actor_among, as_data, default_audit_file, perform
from fanfold.troubleshoot.bundle import load
from fanfold.troubleshoot.settings import load_config, sources_of

if TYPE_CHECKING:
    from fanfold.troubleshoot.sources.workload import Act, Action, Justification

EXIT_DONE, EXIT_NOT_DONE = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ActOptions:
    """What was given on the command line of `fanfold incident act`."""

    action: str
    job: str
    justification: str
    category: str = ""
    ticket: str = ""
    instance: str | None = None
    yes: bool = False
    dry_run: bool = False
    as_json: bool = False


def replay(path: Path, output_format: str) -> int:
    """Answer from saved evidence by the rules alone; exit codes as of `fanfold troubleshoot`."""
    logging.getLogger("fanfold").addHandler(logging.NullHandler())
    answer = load(path).answer()
    emit(rendered_answer(answer, output_format))
    return exit_code({"metadata": {"status": answer.status}})


def act(options: ActOptions) -> int:
    """Show what would be sent, have it confirmed, do it, and write it down.

    Returns:
        0 = done, or shown for a dry run; 1 = not confirmed, so nothing was done.
    """
    from fanfold.troubleshoot.sources.workload import ACTIONS, Justification  # noqa: PLC0415

    logging.getLogger("fanfold").addHandler(logging.NullHandler())
    if options.action not in ACTIONS:
        raise UsageError(f"there is no action {options.action!r}", hint=f"actions are {', '.join(ACTIONS)}")
    if not options.justification.strip():
        raise UsageError("the justification is empty", hint="say in --justification why this is done")
    why = Justification(description=options.justification, category=options.category, ticket=options.ticket)
    return asyncio.run(_act(options, why))


async def _act(options: ActOptions, why: Justification) -> int:
    root = project_root(Path.cwd())
    config = await asyncio.to_thread(load_config, root)
    source, actor = actor_among(await asyncio.to_thread(sources_of, config, root))
    async with source.open():
        planned = await actor.act(
            cast("Action", options.action), options.job, instance=options.instance, justification=why
        )
        _show(planned, options)
        if options.dry_run:
            return EXIT_DONE
        if not await asyncio.to_thread(_confirmed, planned, options):
            tell("nothing was done")
            return EXIT_NOT_DONE
        audit = Audit(path=config.audit_file or default_audit_file())
        done = await perform(actor, planned, audit, instance=options.instance, justification=why)
    _show(done, options)
    tell(f"written down in {audit.path}")
    return EXIT_DONE


def _confirmed(planned: Act, options: ActOptions) -> bool:
    """Whether the operator wants it: said beforehand, or on the terminal now."""
    if options.yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError(
            "nobody is there to confirm this, so nothing was done", hint="add --yes, or --dry-run to only look"
        )
    sys.stderr.write(f"{visible(planned.action)} {visible(planned.job)}, which is in {visible(planned.status)}? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes", "s", "sim")


def _show(act: Act, options: ActOptions) -> None:
    if options.as_json:
        if act.performed or options.dry_run:
            emit(json.dumps(as_data(act), indent=2, ensure_ascii=False) + "\n")
        return
    if act.performed:
        after = f"; it is in {act.status_after} now" if act.status_after else ""
        emit(f"Done: {visible(act.action)} {visible(act.job)}{visible(after)}\n")
        return
    emit(f"{visible(act.action)} {visible(act.job)} on {visible(act.workstation)}, which is in {visible(act.status)}\n")
    emit(f"  {act.method} {visible(act.url)}\n")
    for name, value in act.headers.items():
        emit(f"  {visible(name)}: {visible(value)}\n")
