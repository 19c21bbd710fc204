"""Who holds a run, and whether they still live."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_held: set[tuple[str, int]] = set()


@dataclass(frozen=True, slots=True)
class Owner:
    """A process: pids are used again, but not at the same time since the same start of the same machine.

    Attributes:
        process: boot, pid namespace and start time, as far as the system tells them.
    """

    pid: int
    process: str

    @classmethod
    def me(cls) -> Owner:
        """This process."""
        return cls(os.getpid(), f"{_machine()} {_start_time('self')}")

    def is_alive(self) -> bool:
        """Whether it runs on this machine; one that can't be seen from here counts as gone.

        A process of another container is such a one. The fencing token keeps it from doing harm.
        """
        if not PROC.is_dir():
            return _accepts_signals(self.pid)
        started = _start_time(str(self.pid))
        return started is not None and self.process == f"{_machine()} {started}"


def hold(uid: str, token: int) -> None:
    """Remember that this very process has the run open."""
    _held.add((uid, token))


def let_go(uid: str, token: int) -> None:
    """Forget it, whether or not the journal could be told."""
    _held.discard((uid, token))


def is_held(owner: Owner, uid: str, token: int) -> bool:
    """Whether the opening with this token, by this owner, still goes on."""
    return (uid, token) in _held if owner == Owner.me() else owner.is_alive()


def _machine() -> str:
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {(PROC / 'self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def _start_time(pid: str) -> str | None:
    """In clock ticks since the machine started; None when there is no such process, or only its exit status."""
    try:
        # The program's name stands in brackets and may hold anything.
        fields = (PROC / pid / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def _accepts_signals(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
