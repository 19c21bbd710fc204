"""Kill a program with everything that it started."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path

MARKER = "FANFOLD_BRANCH"
_PROC = Path("/proc")
_NEAR = 256
_ROUNDS = 20


def marked(env: Mapping[str, str] | None, marker: str) -> dict[str, str]:
    """An environment (None = the caller's) with `marker` added to the markers of the runs around this one."""
    inner = dict(os.environ if env is None else env)
    outer = inner.get(MARKER) or os.environ.get(MARKER)
    inner[MARKER] = f"{outer}:{marker}" if outer else marker
    return inner


def signal_group(group: int, number: signal.Signals) -> None:
    """Send a signal to every process of a group; a group that is gone is no error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def kill_marked(marker: str, *, born_after: int | None = None) -> int:
    """SIGKILL every process that has `marker` in the environment it was started with.

    This reaches daemons, which left the process group. One that cleared its environment escapes.

    Args:
        marker: text that no other environment holds.
        born_after: process id that all candidates were started after, a moment ago: looks at the few
            ids given out since instead of at every process.
    Returns:
        Number of processes killed; always 0 where the system has no `/proc`.
    """
    needle = os.fsencode(marker)
    killed: set[int] = {os.getpid()}
    for _ in range(_ROUNDS):  # a process may fork while the others are looked at
        found = [pid for pid in _candidates(born_after) if pid not in killed and needle in _environment_of(pid)]
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not found:
            break
        killed.update(found)
    return len(killed) - 1


def _candidates(born_after: int | None) -> Iterable[int]:
    try:
        if born_after is not None:
            newest = int((_PROC / "loadavg").read_bytes().split()[-1])
            if 0 <= newest - born_after <= _NEAR:
                return range(born_after + 1, newest + 1)
        return [int(name) for name in os.listdir(_PROC) if name.isdecimal()]  # noqa: PTH208 half the time of iterdir
    except OSError:
        return ()


def _environment_of(pid: int) -> bytes:
    try:
        with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:  # noqa: PTH123 called once a process
            return file.read()
    except OSError:
        return b""
