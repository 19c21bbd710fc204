"""What a program in a sandbox sees, writes and reaches, with real bubblewrap."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fanfold.process import Gate, Proxy, read_only, run, unusable

if TYPE_CHECKING:
    from tests.process.conftest import Inside

TRIED = """
def tried(what, *arguments):
    try:
        return what(*arguments)
    except OSError as error:
        return type(error).__name__
"""


def text(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


async def test_a_secret_in_the_home_directory_can_not_be_read(inside: Inside) -> None:
    secret = text(inside.home / ".ssh/id_ed25519", "planted")
    read = f"{TRIED}\nimport os\nprint(tried(lambda: open({str(secret)!r}).read()), os.listdir({str(inside.home)!r}))"
    assert await inside.says(read) == "FileNotFoundError []"


async def test_what_is_listed_can_be_read_and_not_written(inside: Inside) -> None:
    listed = text(inside.home / ".tool/config", "listed")
    read = f"print(open({str(listed)!r}).read())"
    write = f"{TRIED}\nprint(tried(open, {str(listed)!r}, 'w'))"
    assert await inside.says(read, read=(listed.parent,)) == "listed"
    assert await inside.says(write, read=(listed.parent,)) == "OSError"
    assert listed.read_text() == "listed"


async def test_what_is_listed_as_writable_is_written(inside: Inside) -> None:
    state = inside.home / ".agent"
    state.mkdir()
    await inside.says(f"open({str(state / 'session')!r}, 'w').write('kept')", write=(inside.root, state))
    assert (state / "session").read_text() == "kept"


async def test_what_may_be_written_is_written_though_it_is_listed_to_be_read_too(inside: Inside) -> None:
    note = text(inside.root / "note", "old")
    await inside.says(f"open({str(note)!r}, 'w').write('new')", read=(note,))
    assert note.read_text() == "new"


@pytest.mark.parametrize("place", ["/usr/planted", "/etc/planted", "/planted", "/dev/planted", "/bin/planted"])
async def test_the_system_can_not_be_written(inside: Inside, place: str) -> None:
    assert await inside.says(f"{TRIED}\nprint(tried(open, {place!r}, 'w'))") in {"OSError", "PermissionError"}
    assert not Path(place).exists()


async def test_only_the_workspace_is_written(inside: Inside, tmp_path: Path) -> None:
    beside = tmp_path / "beside"
    await inside.says(f"open('mine', 'w').write('x')\n{TRIED}\ntried(open, {str(beside)!r}, 'w')")
    assert (inside.root / "mine").read_text() == "x"
    assert not beside.exists()


async def test_a_link_that_leads_outside_leads_nowhere(inside: Inside, tmp_path: Path) -> None:
    secret = text(inside.home / "secret", "planted")
    (inside.root / "link").symlink_to(secret)
    (inside.root / "folder").symlink_to(tmp_path)
    told = await inside.says(
        f"{TRIED}\nprint(tried(lambda: open('link').read()), tried(open, 'folder/planted', 'w').__class__.__name__)"
    )
    assert told.split()[0] == "FileNotFoundError"
    assert secret.read_text() == "planted"
    assert not (tmp_path / "planted").exists()


async def test_home_and_temporary_files_are_private_and_stay_in_the_scratch_folder(inside: Inside) -> None:
    code = "import os, tempfile; open(os.path.expanduser('~/note'), 'w').write('n'); print(tempfile.mkdtemp())"
    made = await inside.says(code)
    assert made.startswith("/tmp/")
    assert not Path(made).exists()
    assert not (inside.home / "note").exists()
    assert (inside.sandbox.scratch / "home/note").read_text() == "n"


async def test_a_folder_is_seen_at_another_place_too(inside: Inside, tmp_path: Path) -> None:
    other = tmp_path / "checkout"
    text(other / "a.py", "the user's")
    text(inside.root / "a.py", "the workspace's")
    code = f"print(open({str(other / 'a.py')!r}).read()); open({str(other / 'b.py')!r}, 'w').write('x')"
    assert await inside.says(code, seen_as=((inside.root, other),)) == "the workspace's"
    assert (inside.root / "b.py").exists()
    assert not (other / "b.py").exists()


async def test_what_is_read_within_a_folder_of_two_places_is_seen_at_both(inside: Inside, tmp_path: Path) -> None:
    other = tmp_path / "checkout"
    text(other / ".venv/pyvenv.cfg", "read")
    code = f"for place in ('.', {str(other)!r}): print(open(place + '/.venv/pyvenv.cfg').read())"
    seen_as = ((inside.root, other),)
    for _ in range(2):
        assert await inside.says(code, seen_as=seen_as, read=(other / ".venv",)) == "read\nread"


async def test_what_is_kept_is_not_written_wherever_it_is_seen(inside: Inside, tmp_path: Path) -> None:
    other = tmp_path / "checkout"
    other.mkdir()
    made = text(inside.root / "modules/a", "made")
    places = [str(made), str(other / "modules/a")]
    code = f"{TRIED}\nprint(*[tried(open, place, 'w') for place in {places!r}])"
    told = await inside.says(code, kept=(made.parent,), seen_as=((inside.root, other),))
    assert told == "OSError OSError"
    assert made.read_text() == "made"


async def test_other_processes_are_not_seen(inside: Inside) -> None:
    told = await inside.says("import os; print(len([one for one in os.listdir('/proc') if one.isdecimal()]))")
    assert int(told) <= 3


async def test_variables_are_the_ones_that_were_given(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "planted")
    assert "MY_TOKEN" not in await inside.says("import os; print(dict(os.environ))")


async def test_no_variable_is_among_the_arguments_of_a_process(inside: Inside) -> None:
    code = "print(open('/proc/1/cmdline').read().replace(chr(0), ' '))"
    assert "setenv" not in await inside.says(code)


@pytest.fixture
def listener() -> Iterator[int]:
    """A port of this machine's own loopback that answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def connect(port: int) -> str:
    return f"import socket\n{TRIED}\nprint(type(tried(socket.create_connection, ('127.0.0.1', {port}), 5)).__name__)"


async def test_without_a_network_nothing_of_this_machine_answers(inside: Inside, listener: int) -> None:
    assert await inside.says(connect(listener)) == "str"


async def test_with_the_network_as_it_is_this_machine_answers(inside: Inside, listener: int) -> None:
    assert await inside.says(connect(listener), network="host") == "socket"


async def test_sockets_of_this_machine_are_hidden(inside: Inside) -> None:
    path = inside.home / "agent.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        code = f"import socket\n{TRIED}\nprint(tried(socket.socket(socket.AF_UNIX).connect, {str(path)!r}))"
        assert await inside.says(code, network="host") == "FileNotFoundError"


ASK = """
import os, sys, urllib.request, urllib.error
for url in sys.argv[1:] or URLS:
    try:
        print(urllib.request.urlopen(url, timeout=20).read().decode())
    except (urllib.error.URLError, OSError) as error:
        print(type(error).__name__, getattr(error, "code", ""))
"""


@pytest.fixture
async def web() -> AsyncIterator[int]:
    """A web server on this machine's loopback that says who was asked for."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        body = f"{head.split()[1]}".encode()
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def through(inside: Inside, allowed: str, *urls: str) -> list[str]:
    async with Proxy([allowed]) as proxy:
        gate = Gate(proxy.socket, keeps_loopback=False)
        variables = "".join(f"os.environ[{name!r}] = {value!r}\n" for name, value in gate.variables().items())
        told = await inside.says(f"import os\n{variables}URLS = {urls!r}\n{ASK}", network=gate)
    return told.splitlines()


async def test_a_listed_host_is_reached_through_the_proxy(inside: Inside, web: int) -> None:
    assert await through(inside, f"127.0.0.1:{web}", f"http://127.0.0.1:{web}/path?q=1") == ["/path?q=1"]


async def test_no_other_host_is_reached_through_the_proxy(inside: Inside, web: int, listener: int) -> None:
    urls = (f"http://127.0.0.1:{listener}/", f"http://localhost:{web}/", f"https://127.0.0.1:{listener}/")
    assert [line.split()[0] for line in await through(inside, f"127.0.0.1:{web}", *urls)] == [
        "HTTPError",
        "HTTPError",
        "URLError",
    ]


async def test_beside_the_proxy_there_is_no_way_out(inside: Inside, listener: int) -> None:
    async with Proxy([f"127.0.0.1:{listener}"]) as proxy:
        assert await inside.says(connect(listener), network=Gate(proxy.socket)) == "str"


@pytest.mark.parametrize(
    ("code", "returncode"), [("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137)]
)
@pytest.mark.parametrize("gated", [False, True])
async def test_the_exit_code_is_the_program_s(inside: Inside, code: str, returncode: int, gated: bool) -> None:
    async with Proxy([]) as proxy:
        done = await inside.python(code, network=Gate(proxy.socket) if gated else "none")
    assert done.returncode == returncode


@pytest.mark.parametrize("gated", [False, True])
async def test_output_and_errors_are_the_program_s(inside: Inside, gated: bool) -> None:
    async with Proxy([]) as proxy:
        code = "import sys; print('out'); print('err', file=sys.stderr)"
        done = await inside.python(code, network=Gate(proxy.socket) if gated else "none")
    assert (done.stdout, done.stderr) == (b"out\n", b"err\n")


DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for name in list(os.environ): del os.environ[name]
        os.close(0); os.close(1); os.close(2)
        while True:
            open('alive', 'a').write('x'); time.sleep(0.02)
    os._exit(0)
while not os.path.exists('alive'): time.sleep(0.01)
"""


@pytest.mark.parametrize("ending", ["", "time.sleep(60)"])
async def test_a_daemon_ends_with_the_sandbox(inside: Inside, ending: str) -> None:
    await inside.python(f"{DAEMON}\n{ending}", deadline_s=3)
    alive = inside.root / "alive"
    await asyncio.sleep(0.2)
    size = alive.stat().st_size
    await asyncio.sleep(0.3)
    assert size
    assert alive.stat().st_size == size


async def test_a_flood_of_output_is_bounded(inside: Inside) -> None:
    argv = inside.sandbox.around(["/usr/bin/yes"], inside.root)
    done = await run(argv, deadline_s=1, max_bytes=10_000)
    assert len(done.stdout) == 10_000
    assert done.truncated


async def test_bubblewrap_that_is_forbidden_says_why(tmp_path: Path) -> None:
    program = text(tmp_path / "bwrap", "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    program.chmod(0o755)
    assert await unusable(program) == "bwrap: No permissions to create new namespace"


async def test_read_only_paths_stay_as_they_are_and_others_do_not(bubblewrap: Path, tmp_path: Path) -> None:
    guarded, free = text(tmp_path / "guarded/a", "a"), text(tmp_path / "free/a", "a")
    code = f"{TRIED}\nfor path in {[str(guarded), str(free)]!r}: print(tried(lambda: open(path, 'w').write('b')))"
    argv = read_only(bubblewrap, [guarded.parent], [sys.executable, "-c", code], tmp_path)
    assert (await run(argv, env=dict(os.environ))).stdout.split() == [b"OSError", b"1"]
    assert (guarded.read_text(), free.read_text()) == ("a", "b")
