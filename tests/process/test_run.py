from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from fanfold.process import Completed, ProcessError, ProgramNotFound, run

LONG_S = 600.0
"""A sleep that only a kill ends; no test waits for it."""


async def python(code: str, *args: str, max_bytes: int = 1 << 20) -> Completed:
    return await run([sys.executable, "-S", "-c", code, *args], max_bytes=max_bytes)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


async def eventually_gone(pid: int) -> bool:
    for _ in range(500):
        if not is_running(pid):
            return True
        await asyncio.sleep(0.01)
    return False


def noted(file: Path) -> int | None:
    with contextlib.suppress(FileNotFoundError, ValueError):
        return int(file.read_text())
    return None


async def pid_in(file: Path) -> int:
    for _ in range(1000):
        if (pid := noted(file)) is not None:
            return pid
        await asyncio.sleep(0.01)
    raise AssertionError(f"{file} never held a process id")


def children_of(pid: int) -> set[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return {int(child) for task in tasks for child in (task / "children").read_text().split()}


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """No descriptor, zombie, or unclosed pipe outlives a test."""
    descriptors, children = open_descriptors(), children_of(os.getpid())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
        gc.collect()
    assert children_of(os.getpid()) <= children
    assert open_descriptors() == descriptors


@pytest.fixture(params=["pidfd", "thread"])
def either_watcher(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "thread":
        monkeypatch.delattr(os, "pidfd_open")


@pytest.mark.usefixtures("either_watcher")
async def test_exit_code_and_both_streams_come_back() -> None:
    done = await python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"out\n", b"err\n")
    assert not done.timed_out
    assert not done.truncated


@pytest.mark.usefixtures("either_watcher")
async def test_death_by_signal_is_a_negative_code() -> None:
    done = await python("import os; os.kill(os.getpid(), 9)")
    assert done.returncode == -signal.SIGKILL


async def test_program_leads_a_session_of_its_own_and_has_no_terminal() -> None:
    done = await python("import os; print(os.getsid(0) == os.getpgid(0) == os.getpid()); open('/dev/tty')")
    assert done.stdout == b"True\n"
    assert done.returncode == 1


async def test_without_input_the_program_reads_an_end_of_file() -> None:
    assert (await python("import sys; print(repr(sys.stdin.read()))")).stdout == b"''\n"


async def test_input_larger_than_the_pipe_arrives_whole_while_output_flows_back() -> None:
    data = os.urandom(5_000_000)
    done = await run(["cat"], stdin=data)
    assert done.stdout == data


async def test_program_that_reads_no_input_is_no_error() -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    done = await run(["sh", "-c", "exec 0<&-; sleep 0.1"], stdin=b"x" * 5_000_000)
    assert done.returncode == 0
    assert not complaints


async def test_program_that_closes_its_input_early_goes_on() -> None:
    code = "import os, sys, time; os.close(0); time.sleep(0.05); print('went on')"
    done = await run([sys.executable, "-S", "-c", code], stdin=b"x" * 5_000_000)
    assert done.stdout == b"went on\n"


async def test_endless_output_is_drained_but_not_kept() -> None:
    written = 200_000_000
    code = (
        "import os\nblock = b'x' * 1_000_000\n"
        f"for _ in range({written // 1_000_000}):\n os.write(2, b'e'); left = block\n"
        " while left: left = left[os.write(1, left):]\n"
    )
    before = rss_bytes()
    done = await python(code, max_bytes=1000)
    assert done.returncode == 0
    assert done.truncated
    assert done.stdout == b"x" * 1000
    assert done.stderr == b"e" * (written // 1_000_000)
    assert rss_bytes() - before < written // 10


def rss_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def test_output_of_exactly_the_limit_is_not_truncated() -> None:
    done = await python("print('x' * 9)", max_bytes=10)
    assert done.stdout == b"x" * 9 + b"\n"
    assert not done.truncated


async def test_both_streams_full_at_once_do_not_deadlock() -> None:
    code = "import os\nfor _ in range(40): os.write(2, b'e' * 50_000); os.write(1, b'o' * 50_000)"
    done = await python(code, max_bytes=1 << 23)
    assert (len(done.stdout), len(done.stderr)) == (2_000_000, 2_000_000)


@pytest.mark.usefixtures("either_watcher")
async def test_deadline_is_a_value_and_what_was_printed_is_kept() -> None:
    done = await run(["sh", "-c", f"echo early; exec sleep {LONG_S}"], deadline_s=1)
    assert done.timed_out
    assert done.returncode == -signal.SIGTERM
    assert done.stdout == b"early\n"


async def test_program_may_tidy_up_at_the_deadline() -> None:
    script = f"trap 'echo tidied; exit 7' TERM; echo ready; sleep {LONG_S} & wait"
    done = await run(["sh", "-c", script], deadline_s=1)
    assert done.timed_out
    assert done.returncode == 7
    assert done.stdout == b"ready\ntidied\n"


async def test_program_deaf_to_sigterm_is_killed() -> None:
    done = await run(["sh", "-c", f"trap '' TERM; sleep {LONG_S}"], deadline_s=1)
    assert done.timed_out
    assert done.returncode == -signal.SIGKILL


def with_grandchild(note: Path, *, daemon: bool, then: str) -> list[str]:
    return ["sh", "-c", f'{"setsid" if daemon else ""} sleep {LONG_S} & echo $! > "$1"; {then}', "sh", str(note)]


@pytest.mark.parametrize("daemon", [False, True], ids=["in-group", "daemon"])
async def test_deadline_kills_grandchildren(tmp_path: Path, daemon: bool) -> None:
    note = tmp_path / "pid"
    await run(with_grandchild(note, daemon=daemon, then="wait"), deadline_s=1)
    assert await eventually_gone(int(note.read_text()))


@pytest.mark.parametrize("daemon", [False, True], ids=["in-group", "daemon"])
@pytest.mark.usefixtures("either_watcher")
async def test_cancellation_kills_grandchildren_before_it_goes_on(tmp_path: Path, daemon: bool) -> None:
    note = tmp_path / "pid"
    task = asyncio.create_task(run(with_grandchild(note, daemon=daemon, then="wait")))
    pid = await pid_in(note)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await eventually_gone(pid)


@pytest.mark.parametrize("daemon", [False, True], ids=["in-group", "daemon"])
async def test_grandchild_that_holds_the_output_open_does_not_hang_us(tmp_path: Path, daemon: bool) -> None:
    note = tmp_path / "pid"
    async with asyncio.timeout(60):
        done = await run(with_grandchild(note, daemon=daemon, then="echo done"))
    assert done.stdout == b"done\n"
    assert not done.timed_out
    assert await eventually_gone(int(note.read_text()))


async def test_daemon_that_nobody_can_find_does_not_hang_us_either(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen(['sleep', '{LONG_S}'], start_new_session=True, env={{}})\n"
        "open(sys.argv[1], 'w').write(str(child.pid))\nprint('done')"
    )
    async with asyncio.timeout(60):
        done = await python(code, str(note))
    os.kill(int(note.read_text()), signal.SIGKILL)
    assert done.stdout == b"done\n"


async def test_endless_writer_that_nobody_can_find_does_not_hang_us_either(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen(['/usr/bin/yes'], start_new_session=True, env={})\n"
        "open(sys.argv[1], 'w').write(str(child.pid))"
    )
    async with asyncio.timeout(60):
        done = await python(code, str(note), max_bytes=100)
    os.kill(int(note.read_text()), signal.SIGKILL)
    assert done.truncated


async def test_what_a_process_left_running_writes_at_once_is_still_read() -> None:
    done = await run(["sh", "-c", "(sleep 0.1; echo late) & echo early"])
    assert done.stdout == b"early\nlate\n"


async def test_daemons_may_be_kept_where_the_program_ends_by_itself(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = (
        "import subprocess, sys\nnull = subprocess.DEVNULL\n"
        f"child = subprocess.Popen(['sleep', '{LONG_S}'], start_new_session=True, stdout=null, stderr=null)\n"
        "open(sys.argv[1], 'w').write(str(child.pid))"
    )
    await run([sys.executable, "-S", "-c", code, str(note)], keep_daemons=True)
    pid = int(note.read_text())
    assert is_running(pid)
    os.kill(pid, signal.SIGKILL)


async def test_input_is_closed_though_a_kept_daemon_could_read_on(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    script = f'exec 3<&0; setsid sleep {LONG_S} <&3 >/dev/null 2>&1 & echo $! > "$1"'
    before = open_descriptors()
    await run(["sh", "-c", script, "sh", str(note)], stdin=b"x" * 5_000_000, keep_daemons=True)
    assert open_descriptors() == before
    os.kill(int(note.read_text()), signal.SIGKILL)


async def test_deadline_kills_daemons_that_may_be_kept_otherwise(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    await run(with_grandchild(note, daemon=True, then="wait"), deadline_s=1, keep_daemons=True)
    assert await eventually_gone(int(note.read_text()))


async def test_cancellations_wait_for_the_end_of_a_killed_program() -> None:
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(sys.modules["fanfold.process.run"]._surely_within(LONG_S, ended))
    for _ in range(3):
        await asyncio.sleep(0)
        waiting.cancel()
    await asyncio.sleep(0)
    assert not waiting.done()
    ended.set_result(None)
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_second_cancellation_does_not_wait_for_the_grace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["fanfold.process.run"], "TERMINATE_S", LONG_S)
    note = tmp_path / "pid"
    code = (
        "import os, signal, sys, time; signal.signal(15, signal.SIG_IGN)\n"
        f"open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep({LONG_S})"
    )
    task = asyncio.create_task(python(code, str(note)))
    pid = await pid_in(note)
    task.cancel()
    await asyncio.sleep(0.05)
    assert is_running(pid)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not is_running(pid)


async def test_no_task_is_started_or_left_behind() -> None:
    before = asyncio.all_tasks()
    await run(["true"], stdin=b"x" * 200_000, deadline_s=5)
    assert asyncio.all_tasks() == before


async def test_many_at_once_do_not_mix_up_their_output() -> None:
    done = await asyncio.gather(*(run(["cat"], stdin=str(n).encode() * 30_000) for n in range(30)))
    assert [each.stdout for each in done] == [str(n).encode() * 30_000 for n in range(30)]


async def test_file_names_that_are_not_utf8_reach_the_program(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9\n")
    (tmp_path / name).write_bytes(b"here")
    done = await run(["cat", tmp_path / name])
    assert done.stdout == b"here"
    assert done.argv == ("cat", f"{tmp_path}/{name}")


async def test_environment_is_what_was_given_and_a_marker() -> None:
    done = await run(["/usr/bin/env"], env={"ONE": "1"})
    names = {line.split(b"=")[0] for line in done.stdout.splitlines()}
    assert names == {b"ONE", b"FANFOLD_BRANCH"}


async def test_marker_adds_to_the_one_of_an_outer_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FANFOLD_BRANCH", "outer")
    done = await run(["sh", "-c", "echo $FANFOLD_BRANCH"], env={"PATH": os.defpath})
    assert done.stdout.startswith(b"outer:")


async def test_working_directory_is_the_one_given(tmp_path: Path) -> None:
    assert (await run(["pwd"], cwd=tmp_path)).stdout.strip() == os.fsencode(tmp_path)


async def test_missing_program_is_named_with_a_hint() -> None:
    with pytest.raises(ProgramNotFound, match="no-such-program is not installed") as caught:
        await run(["no-such-program"])
    assert caught.value.hint == "install no-such-program, or put its folder on PATH"


async def test_missing_path_is_named() -> None:
    with pytest.raises(ProgramNotFound, match="there is no program /no/such/program"):
        await run(["/no/such/program"])


async def test_file_that_is_not_executable_says_how_to_change_that(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    with pytest.raises(ProgramNotFound, match="may not be executed") as caught:
        await run([script])
    assert caught.value.hint == f"make it executable: chmod +x {script}"


async def test_missing_interpreter_is_told_from_a_missing_program(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    with pytest.raises(ProgramNotFound) as caught:
        await run([script])
    assert caught.value.hint is not None
    assert "interpreter" in caught.value.hint


async def test_file_of_no_known_format_is_an_error_with_the_reason(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("no first line\n")
    script.chmod(0o755)
    with pytest.raises(ProcessError, match="Exec format error"):
        await run([script])


async def test_argument_too_long_for_the_system_says_where_long_text_goes() -> None:
    with pytest.raises(ProcessError, match="too long") as caught:
        await run(["true", "x" * 200_000])
    assert caught.value.hint == "pass long text on standard input or in a file"


@pytest.mark.parametrize("argument", ["a\0b", "\ud800"])
async def test_argument_that_the_system_cannot_take_is_a_clear_error(argument: str) -> None:
    with pytest.raises(ProcessError, match="can't run 'true'"):
        await run(["true", argument])


async def test_missing_working_directory_is_not_taken_for_a_missing_program(tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match=r"can't run true in .*gone") as caught:
        await run(["true"], cwd=tmp_path / "gone")
    assert not isinstance(caught.value, ProgramNotFound)


async def test_failed_starts_leak_no_descriptors() -> None:
    for _ in range(20):
        with pytest.raises(ProgramNotFound):
            await run(["no-such-program"], stdin=b"x")


async def test_system_without_process_descriptors_still_reaps_after_killing_the_group(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    monkeypatch.delattr(os, "waitid")
    note = tmp_path / "pid"
    done = await run(with_grandchild(note, daemon=False, then="echo done"))
    assert done.stdout == b"done\n"
    assert await eventually_gone(int(note.read_text()))
