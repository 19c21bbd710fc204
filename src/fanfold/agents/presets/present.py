"""Which of the programs that Fanfold knows are there, in which version."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path

from fanfold.agents.presets.preset import Preset
from fanfold.errors import FanfoldError
from fanfold.process import allowed_environment, run

DEADLINE_S = 20.0


@dataclass(frozen=True)
class Present:
    """A program on PATH.

    Args:
        version: its own first line about it, "" where it says none.
    """

    preset: Preset
    path: Path
    version: str


async def present(presets: tuple[Preset, ...], where: Path) -> tuple[Present, ...]:
    """Those of the programs that are on PATH, asked for their versions side by side.

    Args:
        where: the folder that they run in meanwhile; one that nobody else writes to.
    """
    there = _there(presets)
    versions = await asyncio.gather(*(_version(path, where) for _, path in there))
    return tuple(Present(preset, path, version) for (preset, path), version in zip(there, versions, strict=True))


def _there(presets: tuple[Preset, ...]) -> list[tuple[Preset, Path]]:
    found = [(preset, shutil.which(preset.command)) for preset in presets]
    return [(preset, Path(path).absolute()) for preset, path in found if path is not None]


async def _version(path: Path, where: Path) -> str:
    try:
        done = await run([path, "--version"], cwd=where, env=allowed_environment(), deadline_s=DEADLINE_S)
    except FanfoldError:
        return ""
    said = (done.stdout or done.stderr).decode(errors="replace").strip().splitlines()
    return said[0].strip() if said and done.returncode == 0 and not done.timed_out else ""
