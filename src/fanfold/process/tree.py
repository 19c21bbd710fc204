"""Kill a program with everything that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

MARKER = "FANFOLD_BRANCH"
_PROC = Path("/proc")
_NEAR = 256
_ROUNDS = 20
_EXEC_S, _LONGEST_EXEC_S = 0.001, 0.02
# Fields of /proc/<pid>/stat after the name, see proc(5); and a flag of kernel threads.
_FLAGS, _ENV_END = 6, 48
_PF_KTHREAD = 0x00200000


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
    for turn in range(_ROUNDS):  # a process may fork while the others are looked at
        seen = {pid: _environment_of(pid) for pid in _candidates(born_after) if pid not in killed}
        found = [pid for pid, environment in seen.items() if environment and needle in environment]
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        killed.update(found)
        if None in seen.values():
            time.sleep(min(_EXEC_S * 2**turn, _LONGEST_EXEC_S))  # on a busy machine `exec` takes a while
        elif not found:
            break
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


def _environment_of(pid: int) -> bytes | None:
    """Its environment, empty where there is none for us to see, None where that can't be said yet."""
    path = f"/proc/{pid}/environ"
    environment = _read(path)
    if environment == b"":
        return None if _is_starting(pid) else _read(path) or b""
    return environment or b""


def _is_starting(pid: int) -> bool:
    """Whether the process is in the midst of `exec`, when it has no environment to look at yet."""
    state = (_read(f"/proc/{pid}/stat") or b"").rpartition(b")")[2].split()
    if len(state) <= _ENV_END:
        return False
    is_kernels = int(state[_FLAGS]) & _PF_KTHREAD
    return state[0] not in {b"Z", b"X"} and not is_kernels and state[_ENV_END] == b"0"


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 called for every process
            return file.read()
    except OSError:  # gone, or somebody else's
        return None
