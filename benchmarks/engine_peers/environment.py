"""The environment that the peers are measured in: pinned, made once, kept in the cache, with Fanfold editable."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import packages

ROOT = Path(packages.__file__).parent.parent
PINS = (
    "aiometer==1.0.0",
    "dspy==3.4.1",
    "langgraph==1.2.22",
    "langgraph-checkpoint-sqlite==3.1.2",
    "llama-index-workflows==2.26.1",
    "pydantic-graph==2.68.0",
    "uvloop==0.23.0",
)


def python(name: str = "engine", pins: Sequence[str] = PINS) -> Path:
    """The environment's interpreter; the first call installs it, and after each change of pyproject.toml.

    Raises:
        UnavailableError: the packages can't be installed.
    """
    target = packages.CACHE / "environments" / name
    target.mkdir(parents=True, exist_ok=True)
    with (target.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two benchmarks at once would install into each other's
        return _installed(target, pins)


def _installed(target: Path, pins: Sequence[str]) -> Path:
    stamp = target / "requirements.txt"
    wanted = "\n".join((*pins, sys.version, (ROOT / "pyproject.toml").read_text()))
    interpreter = target / "bin" / "python"
    if stamp.exists() and stamp.read_text() == wanted:
        return interpreter
    print(f"installing the peers into {target}", flush=True)
    if not (stamp.exists() and sys.version in stamp.read_text()):
        shutil.rmtree(target)
        subprocess.run([sys.executable, "-m", "venv", target], check=True)
    stamp.unlink(missing_ok=True)
    argv: list[str | Path] = [interpreter, "-m", "pip", "install", "-qq", "--editable", ROOT, *pins]
    if subprocess.run(argv, check=False).returncode:
        raise packages.UnavailableError(
            f"can't install {' '.join(pins)}; the first time needs PyPI, later ones don't\n"
            "hint: --no-peers measures Fanfold and asyncio alone"
        )
    stamp.write_text(wanted)
    return interpreter
