"""`fanfold knowledge`: bring runbooks and past incidents into the index."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fanfold.cli.output import emit, tell, visible
from fanfold.cli.troubleshoot import UsageError
from fanfold.cli.words import plural
from fanfold.config import project_root
from fanfold.troubleshoot.settings import KNOWLEDGE, load_config

if TYPE_CHECKING:
    from fanfold.troubleshoot.sources.knowledge import Updated

MOST_SKIPPED = 20


def index(paths: Sequence[Path], index_path: Path | None) -> int:
    """Index what is under `paths`, else under the configured ones; 0, also where there was nothing new."""
    from fanfold.troubleshoot.sources.knowledge import index_command  # noqa: PLC0415 imported when used
    from fanfold.troubleshoot.sources.knowledge.settings import settings_of  # noqa: PLC0415

    root = project_root(Path.cwd())
    told = settings_of(load_config(root).sources.get(KNOWLEDGE, {}), root)
    wanted = tuple(paths) or told.paths
    if not wanted:
        raise UsageError("it isn't said what to index", hint="name files or folders of runbooks")
    for path in wanted:
        if not path.exists():
            raise UsageError(f"{path} is not there", hint="name files or folders that are")
    updated = index_command(wanted, index_path or told.index, told)
    emit(f"{summary(updated)}\n")
    for skipped in updated.skipped[:MOST_SKIPPED]:
        tell(f"left out {visible(skipped.path)}: {visible(skipped.why)}")
    if len(updated.skipped) > MOST_SKIPPED:
        tell(f"and {len(updated.skipped) - MOST_SKIPPED} more were left out")
    return 0


def summary(updated: Updated) -> str:
    """What came of it, in two lines."""
    parts = [
        f"{plural(len(updated.added), 'file')} new",
        f"{len(updated.changed)} changed",
        f"{len(updated.removed)} gone",
        f"{updated.unchanged} as before",
        f"{len(updated.skipped)} left out",
    ]
    entries = "1 entry" if updated.entries == 1 else f"{updated.entries} entries"
    return f"{', '.join(parts)}\nthe index has {entries}"
