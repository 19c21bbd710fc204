"""Keep a program in a sandbox: it sees what it needs, writes where it may, and reaches the hosts that it may."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from fanfold.process.run import ProcessError, run

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store")
_ETC = (
    *("resolv.conf", "hosts", "host.conf", "nsswitch.conf", "gai.conf", "services", "protocols"),
    *("passwd", "group", "localtime", "timezone", "locale.alias", "locale.conf", "mime.types", "os-release"),
    *("ssl", "pki", "ca-certificates", "ca-certificates.conf", "crypto-policies", "gitconfig"),
    *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "terminfo", "fonts"),
)
"""What of /etc programs need to run, to find hosts and to trust them; nothing that holds a secret."""

_RELAY = Path(__file__).parent / "relay.py"
_INSIDE = Path("/run/fanfold")
PORT = 3128
"""Where the proxy answers inside a sandbox, on a loopback that the sandbox has for itself."""

_PROBE_DEADLINE_S = 10.0
_known: dict[Path, str | None] = {}


@dataclass(frozen=True)
class Gate:
    """The socket of a `Proxy`, the only way out of a sandbox without a network.

    `keeps_loopback` leaves loopback addresses to the sandbox's own; else the proxy is asked for these, too.
    """

    socket: Path
    keeps_loopback: bool = True

    def variables(self) -> dict[str, str]:
        """What tells programs of the proxy."""
        address = f"http://127.0.0.1:{PORT}"
        names = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy")
        direct = "localhost,127.0.0.1,::1" if self.keeps_loopback else ""
        # Node's own `fetch` asks no proxy without being told to.
        more = {"NO_PROXY": direct, "no_proxy": direct, "NODE_USE_ENV_PROXY": "1"}
        return {**dict.fromkeys(names, address), **more}


Network: TypeAlias = Literal["host", "none"] | Gate


@dataclass(frozen=True)
class Sandbox:
    """What a program sees of this machine, and may do with it.

    Args:
        bubblewrap: the program `bwrap`.
        scratch: a private folder; holds what stands for the home directory, /tmp and /dev/shm inside.
        write: paths that may be written, at their own place.
        read: paths that may be read; what isn't there is left out.
        seen_as: folders that may be written at another place as well, as pairs of source and place.
        kept: paths in folders that may be written, which may not.
        home: the user's home directory, which is hidden.
        network: "host" = all of it, "none", or the way through a proxy.
    """

    bubblewrap: Path
    scratch: Path
    write: tuple[Path, ...]
    read: tuple[Path, ...] = ()
    seen_as: tuple[tuple[Path, Path], ...] = ()
    kept: tuple[Path, ...] = ()
    home: Path | None = None
    network: Network = "none"

    def around(self, argv: Sequence[str], cwd: Path, *, read: Iterable[Path] = ()) -> tuple[str, ...]:
        """The command line that runs `argv` inside, with the environment that it is given.

        Args:
            argv: the program, absolute, and its arguments.
            cwd: its working directory, one that is seen inside.
            read: what this program needs to read beside all else.
        """
        # Variables are inherited, never options: everybody may read the arguments of a process.
        network = ("--share-net",) if self.network == "host" else ()
        mounts = [part for mount in self._mounts(read) for part in mount]
        return (
            *(str(self.bubblewrap), "--unshare-all", *network, "--die-with-parent", "--new-session"),
            *("--cap-drop", "ALL", "--proc", "/proc", "--dev", "/dev"),
            *mounts,
            # What is left of the root is in memory, and nobody may fill that.
            *("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", str(cwd), "--"),
            *self._through_relay(argv),
        )

    def _through_relay(self, argv: Sequence[str]) -> tuple[str, ...]:
        if not isinstance(self.network, Gate):
            return tuple(argv)
        relay = (_python(), "-I", "-S", str(_INSIDE / "relay.py"), str(_INSIDE / "proxy"), str(PORT))
        return (*relay, *argv)

    def _mounts(self, read: Iterable[Path]) -> list[tuple[str, ...]]:
        """Each mount, the outer ones before those within them."""
        private = [(self._private("tmp"), Path("/tmp")), (self._private("tmp"), Path("/var/tmp"))]  # noqa: S108 inside
        private.append((self._private("shm"), Path("/dev/shm")))  # noqa: S108 inside
        if self.home is not None and self.home != Path("/"):
            private.append((self._private("home"), self.home))
        listed = (*_ours(self.network), *self.read, *read)
        readable = [path for path in listed if not any(path.is_relative_to(one) for one in self.write)]
        hiding = [place for _, place in (*private, *self.seen_as)]
        placed = [
            *((path, ("--bind", str(source), str(path))) for source, path in private),
            *_system(),
            *((place, ("--ro-bind-try", str(path), str(place))) for path, place in self._seen(readable, hiding)),
            *((path, ("--bind", str(source), str(path))) for source, path in self.seen_as),
            *((path, ("--bind", str(path), str(path))) for path in self.write),
            *((place, ("--ro-bind-try", str(path), str(place))) for path in self.kept for place in self._places(path)),
        ]
        if isinstance(self.network, Gate):
            placed += [
                (_INSIDE, ("--ro-bind", str(source), str(_INSIDE / name)))
                for name, source in (("proxy", self.network.socket), ("relay.py", _RELAY))
            ]
        return [mount for _, mount in sorted(placed, key=lambda one: len(one[0].parts))]

    def _seen(self, readable: Iterable[Path], hiding: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
        """What can be read, and where it is seen."""
        for path in _outermost(readable, hiding):
            yield path, path
            # Mounted in a folder that is seen at two places, it leaves an empty folder in the other one.
            for source, place in self.seen_as:
                if path != place and path.is_relative_to(place) and _is_free(source / path.relative_to(place)):
                    yield path, source / path.relative_to(place)

    def _places(self, path: Path) -> Iterator[Path]:
        """Everywhere that a path can be seen."""
        yield path
        for source, place in self.seen_as:
            if path.is_relative_to(source):
                yield place / path.relative_to(source)

    def _private(self, name: str) -> Path:
        folder = self.scratch / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def read_only(bubblewrap: Path, paths: Iterable[Path], argv: Sequence[str], cwd: Path) -> tuple[str, ...]:
    """The command line that runs `argv` as it would run anyway, but for these paths, which it can't write."""
    binds = [part for path in paths for part in ("--ro-bind-try", str(path), str(path))]
    return (str(bubblewrap), "--dev-bind", "/", "/", *binds, "--die-with-parent", "--chdir", str(cwd), "--", *argv)


async def unusable(bubblewrap: Path) -> str | None:
    """Why bubblewrap can't be used here, in its own words; None = it works. Tried once in a process.

    It may be installed and yet forbidden: containers and some distributions allow no user namespaces.
    """
    if bubblewrap not in _known:
        argv = [str(bubblewrap), "--unshare-all", "--die-with-parent", "--proc", "/proc", "--dev", "/dev"]
        binds = [part for _, mount in _system() for part in mount]
        try:
            done = await run([*argv, *binds, "true"], deadline_s=_PROBE_DEADLINE_S)
        except ProcessError as error:
            return error.message
        words = done.stderr.decode(errors="replace").strip() or f"exit code {done.returncode}"
        _known[bubblewrap] = words if done.returncode or done.timed_out else None
    return _known[bubblewrap]


def _system() -> Iterator[tuple[Path, tuple[str, ...]]]:
    """The operating system's own programs and libraries."""
    for name in _SYSTEM:
        path = Path(name)
        if path.is_symlink():
            yield path, ("--symlink", str(path.readlink()), name)
        elif path.is_dir():
            yield path, ("--ro-bind", name, name)
    for name in _ETC:
        yield Path("/etc") / name, ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")


def _ours(network: Network) -> tuple[Path, ...]:
    """What our own interpreter needs, which runs the relay."""
    return (Path(sys.base_prefix), Path(_python())) if isinstance(network, Gate) else ()


def _python() -> str:
    return os.path.realpath(sys.executable)


def _is_free(path: Path) -> bool:
    """Whether there is nothing at a path, or an empty folder."""
    return not os.path.lexists(path) or (path.is_dir() and not path.is_symlink() and not any(path.iterdir()))


def _outermost(paths: Iterable[Path], hiding: Iterable[Path]) -> list[Path]:
    """Paths without those that are seen already: in others of them, or in the system's, and with nothing put over."""
    hiding = tuple(hiding)
    found = [Path(name) for name in _SYSTEM if Path(name).exists()]
    system = len(found)
    for path in sorted(set(paths), key=lambda one: len(one.parts)):
        over = [one for one in hiding if path.is_relative_to(one)]
        if not any(path.is_relative_to(outer) and all(outer.is_relative_to(one) for one in over) for outer in found):
            found.append(path)
    return found[system:]
