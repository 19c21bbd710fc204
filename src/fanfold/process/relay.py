"""Inside a sandbox: listen on its own loopback, pass all on to a socket, and run the program meanwhile.

Called as `python -I -S relay.py SOCKET PORT PROGRAM [ARGUMENT...]`; needs nothing but the standard library. It ends as
the program does, and with it the whole sandbox.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading

_CHUNK = 64 * 1024


def serve(listener: socket.socket, path: str) -> None:
    """Take connections for ever."""
    while True:
        inside, _ = listener.accept()
        threading.Thread(target=_join, args=(inside, path), daemon=True).start()


def _join(inside: socket.socket, path: str) -> None:
    outside = socket.socket(socket.AF_UNIX)
    with inside, outside:
        try:
            outside.connect(path)
        except OSError:
            return
        back = threading.Thread(target=_copy, args=(outside, inside), daemon=True)
        back.start()
        _copy(inside, outside)
        back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def run(argv: list[str]) -> int:
    """Become the program in a child; its exit code, as a shell tells it."""
    child = os.fork()
    if not child:
        try:
            os.execvp(argv[0], argv)  # noqa: S606 an argument list, no shell
        except OSError as error:
            os.write(2, f"{argv[0]}: {error.strerror}\n".encode(errors="replace"))
            os._exit(127)
    return child


def main(argv: list[str]) -> int:
    """Listen first, so that the program finds the proxy from its first moment on."""
    path, port, *program = argv
    listener = socket.create_server(("127.0.0.1", int(port)))
    child = run(program)  # before there are threads
    threading.Thread(target=serve, args=(listener, path), daemon=True).start()
    # The program's standard streams are its own alone: their ends are to be seen.
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    sys.exit(main(sys.argv[1:]))
