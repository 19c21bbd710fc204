"""PYTEST_DONT_REWRITE Bring the import guard into the Python processes that a test starts.

Children inherit it through the environment. Tests that give a child an environment of their own would lose it, and
the child would silently import the main checkout: here such an environment is completed. A Python child takes
what was added out again, so that a test sees the environment that it gave.
"""

from __future__ import annotations

import _posixsubprocess
import os
import sys

MYPY = False
if MYPY:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from fanfold.fix.guard.injected.fanfold_guard import Guard

CONFIG = "FANFOLD_GUARD"
GIVEN = "FANFOLD_GUARD_GIVEN"
HERE = os.path.dirname(os.path.abspath(__file__))
SHELLS = ("sh", "bash", "dash", "zsh")


def watch(guard: Guard) -> None:
    """Complete the environments of children, and report before this process ends without Python's own farewell."""
    points_at_main = bool(guard.finder.left) or any(_points_at_main(guard, one) for one in sys.meta_path)
    _take_back()

    def completed(argv: Sequence[Any], executable: Any, env: Any) -> Any:
        try:
            if not _is_python(argv, executable):
                return env
            if points_at_main and _refuses(argv, executable):
                guard.unguarded.append(" ".join(os.fsdecode(one) for one in argv))
            return _complete(os.environ if env is None else env, guard.places.path) or env
        except (TypeError, AttributeError):
            return env  # not what a command or an environment is made of: Python itself shall say so

    _watch_fork_exec(completed)
    _watch_os(guard, completed)


def _watch_fork_exec(completed: Callable[[Sequence[Any], Any, Any], Any]) -> None:
    original: Any = _posixsubprocess.fork_exec

    def fork_exec(args: Any, executables: Any, close_fds: Any, pass_fds: Any, cwd: Any, env: Any, *rest: Any) -> Any:
        whole = completed(args, executables[0] if executables else None, env if env is None else _mapping(env))
        listed = [os.fsencode(k) + b"=" + os.fsencode(v) for k, v in whole.items()] if isinstance(whole, dict) else env
        return original(args, executables, close_fds, pass_fds, cwd, listed, *rest)

    replaced: Any = fork_exec
    _posixsubprocess.fork_exec = replaced
    loaded: Any = sys.modules.get("subprocess")
    if loaded is not None and hasattr(loaded, "_fork_exec"):
        loaded._fork_exec = replaced


def _watch_os(guard: Guard, completed: Callable[[Sequence[Any], Any, Any], Any]) -> None:
    here: Any = os
    execve, execv, leave = os.execve, os.execv, os._exit

    def with_env(path: Any, argv: Any, env: Any) -> Any:
        guard.report()
        return execve(path, argv, completed(argv, path, env))

    def with_own_env(path: Any, argv: Any) -> Any:
        guard.report()
        whole = completed(argv, path, None)
        return execv(path, argv) if whole is None else execve(path, argv, whole)

    def report_and_leave(status: int) -> Any:
        guard.report()
        leave(status)

    here.execve, here.execv, here._exit = with_env, with_own_env, report_and_leave
    for name in ("posix_spawn", "posix_spawnp"):
        if hasattr(os, name):
            setattr(here, name, _spawning(getattr(os, name), completed))


def _spawning(original: Any, completed: Callable[[Sequence[Any], Any, Any], Any]) -> Any:
    def spawn(path: Any, argv: Any, env: Any, **more: Any) -> Any:
        return original(path, argv, completed(argv, path, env), **more)

    return spawn


def _points_at_main(guard: Guard, finder: Any) -> bool:
    """Whether a finder of an editable install, setuptools' kind, leads to the main checkout."""
    module = sys.modules.get(getattr(finder, "__module__", None) or "")
    mapping = getattr(module, "MAPPING", None)
    return isinstance(mapping, dict) and any(guard.places.place(str(one)) for one in mapping.values())


def _mapping(env: Any) -> dict[Any, Any]:
    """An environment as a list of b"NAME=value", as a mapping."""
    return dict(one.split(b"=", 1) for one in env if b"=" in one[1:])


def _complete(env: Mapping[Any, Any], config: str) -> dict[Any, Any] | None:
    """The environment with the guard in it; None where it is in there already."""
    whole = {os.fsdecode(name): os.fsdecode(value) for name, value in env.items()}
    path = whole.get("PYTHONPATH", "")
    if HERE in path.split(os.pathsep) and whole.get(CONFIG):
        return None
    whole["PYTHONPATH"] = HERE + os.pathsep + path if path else HERE
    whole[CONFIG] = config
    whole[GIVEN] = "1"
    return whole


def _take_back() -> None:
    """Take out of this process's environment what was added for it alone."""
    if os.environ.pop(GIVEN, None):
        os.environ.pop(CONFIG, None)
        rest = [one for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one and one != HERE]
        if rest:
            os.environ["PYTHONPATH"] = os.pathsep.join(rest)
        else:
            os.environ.pop("PYTHONPATH", None)


def _is_python(argv: Sequence[Any], executable: Any) -> bool:
    """Whether a command is Python, a script for it, or a shell, which may start one."""
    path = os.fsdecode(executable or (argv[0] if argv else ""))
    name = os.path.basename(path)
    if name.startswith(("python", "pypy")) or name in SHELLS or path == sys.executable:
        return True
    try:
        with open(_on_path(path), "rb") as file:
            head = file.read(256)
    except (OSError, ValueError):
        return False
    return head[:2] == b"#!" and b"python" in head


def _on_path(path: str) -> str:
    if os.sep in path:
        return path
    for folder in os.get_exec_path():
        found = os.path.join(folder, path)
        if os.path.isfile(found):
            return found
    return path


def _refuses(argv: Sequence[Any], executable: Any) -> bool:
    """Whether a Python command ignores the environment: `-I` or `-E` among its options."""
    if os.path.basename(os.fsdecode(executable or argv[0])) in SHELLS:
        return False
    is_value = False
    for one in argv[1:]:
        option = os.fsdecode(one)
        if is_value:
            is_value = False
            continue
        if option[:1] != "-" or option in ("-", "--"):
            return False
        for place, letter in enumerate(option[1:], start=2):
            if letter in "IE":
                return True
            if letter in "cm-":
                return False
            if letter in "XW":
                is_value = place == len(option)
                break
    return False
