"""PYTEST_DONT_REWRITE The import guard: a test run in a workspace imports the workspace's code.

Runs inside the processes of the project's test suite, on the project's interpreter, 3.8 or later, and imports
nothing that such a process has not loaded anyway. Where any other finder would load a file of the main checkout,
the same file of the workspace is loaded; what was loaded from the main checkout all the same is reported.
"""

from __future__ import annotations

import atexit
import os
import sys
import time
from _frozen_importlib import ModuleSpec, module_from_spec
from _frozen_importlib_external import FileLoader, PathFinder, spec_from_file_location

MYPY = False
if MYPY:
    from collections.abc import Iterable, Sequence
    from types import ModuleType
    from typing import Any

CONFIG = "FANFOLD_GUARD"
SEP = os.sep


class Places:
    """Which files belong to the main checkout, and where each of them is in the workspace.

    Read from a file of NUL-terminated `key=value` fields: `main` (each name of the checkout's root), `copy` (an
    installed copy and its source, below the workspace, split by a newline), `workspace`, `apart` (what is not the
    checkout's although it lies within: environments), `tracked` (a file of NUL-terminated paths), `reports`,
    `redirect` ("no": only watch).
    """

    def __init__(self, path: str) -> None:
        self.path = path
        with open(path, "rb") as file:
            pairs = [os.fsdecode(field).split("=", 1) for field in file.read().split(b"\0") if field]
        fields: dict[str, list[str]] = {}
        for key, value in pairs:
            fields.setdefault(key, []).append(value)
        self.workspace = fields["workspace"][0]
        self.mains = fields["main"]
        self.reports = fields["reports"][0]
        self.redirects = fields.get("redirect") != ["no"]
        self._tracked_file = fields.get("tracked", [""])[0]
        self._tracked: bytes | None = None
        self._apart = [self.workspace + SEP] + [one + SEP for one in fields.get("apart", ())]
        for prefix in {sys.prefix, sys.exec_prefix}:
            if self._below(prefix, self.mains):
                self._apart.append(prefix + SEP)
        copies = [tuple(one.split("\n", 1)) for one in fields.get("copy", ())]
        self._copies = [(start, SEP.join((self.workspace, target))) for start, target in copies]
        self._libraries = tuple({one + SEP for one in (sys.prefix, sys.base_prefix, sys.exec_prefix)})

    @staticmethod
    def _below(path: str, roots: Iterable[str]) -> str | None:
        """The root that `path` is, or lies in."""
        for root in roots:
            if path.startswith(root) and path[len(root) : len(root) + 1] in ("", SEP):
                return root
        return None

    def place(self, path: str) -> str | None:
        """Where in the workspace a path of the main checkout belongs; None for any other path."""
        for start, target in self._copies:
            if self._below(path, (start,)):
                return target + path[len(start) :]
        root = self._below(path, self.mains)
        if root is None or (path + SEP).startswith(tuple(self._apart)):
            return None
        return self.workspace + path[len(root) :]

    def real_place(self, path: str) -> str | None:
        """The same for a path that may be a link into the main checkout, as editable installs make them."""
        target = self.place(path)
        if target is not None and os.path.exists(target):
            return target
        if target is None and path.startswith(self.workspace + SEP):
            return None
        real = os.path.realpath(path)
        return (self.place(real) if real != path else None) or target

    def originals(self, directory: str) -> list[str]:
        """Where the main checkout has what belongs to a directory of the workspace."""
        found = [
            start + directory[len(target) :] for start, target in self._copies if self._below(directory, (target,))
        ]
        if self._below(directory, (self.workspace,)):
            found.append(self.mains[0] + directory[len(self.workspace) :])
        return found

    def is_library(self, path: str) -> bool:
        """Whether a file belongs to the interpreter or to its environment."""
        return path.startswith(self._libraries)

    def generated(self, path: str) -> bool:
        """Whether a file of the main checkout may be loaded: git doesn't know it and the workspace lacks it."""
        target = self.real_place(path)
        if target is None or os.path.exists(target):
            return False
        if not self._tracked_file:
            return not target.endswith(".py")
        if self._tracked is None:
            with open(self._tracked_file, "rb") as file:
                self._tracked = b"\0" + file.read()
        return b"\0" + os.fsencode(target[len(self.workspace) + 1 :]) + b"\0" not in self._tracked


class WorkspaceFinder:
    """A finder before all others that asks them, and turns what they find in the main checkout to the workspace."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.left: list[str] = []
        """Entries of sys.path that were the main checkout's."""

    def turn_path(self) -> None:
        """Turn the entries of sys.path."""
        for index, entry in enumerate(sys.path):
            target = self.places.place(entry)
            if target is not None and os.path.isdir(target):
                self.left.append(entry)
                sys.path[index] = target
        # Metadata of old-fashioned development installs lies beside the sources, and git doesn't track it.
        sys.path += [entry for entry in self.left if _has_metadata(entry)]

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The module in the workspace, where it has it; else what other finders say."""
        spec = self._ask(name, path, target)
        if spec is None:
            return self._generated(name, path)
        return self._turned(name, spec)

    def _ask(self, name: str, path: Sequence[str] | None, target: ModuleType | None) -> ModuleSpec | None:
        finders = sys.meta_path
        # Finders before this one have been asked already.
        behind = finders[finders.index(self) + 1 :] if self in finders else finders
        for finder in behind:
            ask = getattr(finder, "find_spec", None)
            spec = ask(name, path, target) if ask is not None else _ask_old(finder, name, path)
            if spec is not None:
                return spec
        return None

    def _generated(self, name: str, path: Sequence[str] | None) -> ModuleSpec | None:
        """What no checkout of a commit has, `_version.py` or a compiled module, from the main checkout."""
        where = self.left if path is None else [one for entry in path for one in self.places.originals(entry)]
        spec = PathFinder.find_spec(name, where) if where else None
        if spec is not None and spec.has_location and spec.origin and self.places.generated(spec.origin):
            return spec
        return None

    def _turned(self, name: str, spec: ModuleSpec) -> ModuleSpec | None:
        origin, folders = spec.origin, spec.submodule_search_locations
        if origin is not None and spec.has_location:
            target = self._target(name, origin, folders is not None)
            if target is not None:
                return self._at(name, spec, origin, target)
        if folders is not None:
            self._turn_folders(folders)
        return spec

    def _target(self, name: str, origin: str, is_package: bool) -> str | None:
        places = self.places
        if not places.is_library(origin):
            return places.real_place(origin)
        # A package within an environment may be a link to its source.
        top = os.path.dirname(origin) if is_package else origin
        if "." not in name and os.path.islink(top):
            return places.real_place(origin)
        return places.place(origin)

    def _turn_folders(self, folders: Any) -> None:
        turned = []
        for folder in folders:
            target = self.places.place(folder)
            turned.append(target if target is not None and os.path.isdir(target) else folder)
        if turned != list(folders):
            # A namespace package's folders are an object that looks for new ones; the list inside holds them.
            getattr(folders, "_path", folders)[:] = list(dict.fromkeys(turned))

    def _at(self, name: str, spec: ModuleSpec, origin: str, target: str) -> ModuleSpec | None:
        """The spec of the same module in the workspace."""
        folders = spec.submodule_search_locations
        if not os.path.isfile(target):
            folder = os.path.dirname(target)
            near = PathFinder.find_spec(name, [os.path.dirname(folder) if folders is not None else folder])
            if near is not None and near.has_location:
                return near
            if self.places.generated(origin):
                return spec
            # None would let the next finder load the main checkout's.
            raise ModuleNotFoundError("No module named " + repr(name), name=name)
        if folders is not None:
            folders = [
                os.path.dirname(target) if folder == os.path.dirname(origin) else self.places.place(folder) or folder
                for folder in folders
            ]
        loader: Any = spec.loader
        if not isinstance(loader, FileLoader):
            return spec if loader is None else spec_from_file_location(name, target, submodule_search_locations=folders)
        again: Any = type(loader)
        return spec_from_file_location(name, target, loader=again(name, target), submodule_search_locations=folders)


def _has_metadata(folder: str) -> bool:
    try:
        return any(one.endswith((".egg-info", ".dist-info")) for one in os.listdir(folder))
    except OSError:
        return False


def _ask_old(finder: Any, name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    """Ask a finder of the kind that Python 3.12 took away."""
    find = getattr(finder, "find_module", None)
    loader = find(name, path) if find is not None and sys.version_info < (3, 12) else None
    if loader is None:
        return None
    from importlib.util import spec_from_loader

    return spec_from_loader(name, loader)


class Guard:
    """What this process knows of its modules, written to a file of its own when it ends."""

    def __init__(self, places: Places, finder: WorkspaceFinder) -> None:
        self.places = places
        self.finder = finder
        self.unguarded: list[str] = []
        """Commands of Python children that refuse the guard."""
        self.session = False
        """Whether this process ran a pytest session to its end."""
        self._started = time.time_ns()

    def offences(self) -> list[tuple[str, str]]:
        """Modules with their files that came from the main checkout."""
        return self._sorted()[1]

    def _sorted(self) -> tuple[int, list[tuple[str, str]]]:
        """How many modules came from the workspace, and those that came from the main checkout."""
        places, own, offences = self.places, 0, []
        folders: dict[str, str] = {}
        for name, file in _files():
            if file.startswith(places.workspace + SEP):
                own += 1
                continue
            # Few folders hold all modules, and resolving links is what costs here.
            folder, base = os.path.split(file)
            if folder not in folders:
                folders[folder] = os.path.realpath(folder)
            real = os.path.realpath(file) if os.path.islink(file) else folders[folder] + SEP + base
            if (places.place(file) or places.place(real)) and not places.generated(file):
                offences.append((name, file))
        return own, offences

    def report(self) -> None:
        """Write what is known so far; again and again, the last one counts."""
        own, offences = self._sorted()
        fields = ["executable=" + (sys.executable or ""), f"workspace={own}", f"session={self.session:d}"]
        fields += ["offence=" + name + "\n" + file for name, file in offences]
        fields += ["unguarded=" + one for one in self.unguarded]
        try:
            content = b"\0".join(os.fsencode(one) for one in fields)
            # A process that becomes another program keeps its id, a fork keeps its start.
            path = os.path.join(self.places.reports, f"{os.getpid()}-{self._started}")
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        except (OSError, ValueError):
            # Reports have gone with the end of the run, or a name can't be encoded: no report is no clean report.
            return
        try:
            os.write(file, content)
        finally:
            os.close(file)


def _files() -> list[tuple[str, str]]:
    """Name and file of each loaded module; nothing of a module is run to learn it, lazy ones stay asleep."""
    module_type = type(sys)
    found = []
    for name, module in list(sys.modules.items()):
        try:
            inside = (module_type if isinstance(module, module_type) else object).__getattribute__(module, "__dict__")
        except AttributeError:
            continue
        # A script's module has lost its file by the time that it ends.
        file = inside.get("__file__") or getattr(inside.get("__spec__"), "origin", None)
        file = file or getattr(inside.get("__loader__"), "path", None)
        if type(file) is str and type(name) is str and SEP in file:
            found.append((name, os.path.abspath(file)))
    return found


guard: Guard | None = None


def start() -> None:
    """Guard this process, where the environment asks for it."""
    global guard  # noqa: PLW0603
    path = os.environ.get(CONFIG)
    if not path or guard is not None:
        return
    try:
        places = Places(path)
    except (OSError, KeyError, ValueError):
        return  # the run that asked for it is over
    finder = WorkspaceFinder(places)
    guard = Guard(places, finder)
    # The environment says so too, but not to children with an environment of their own.
    sys.dont_write_bytecode = True
    if places.redirects:
        finder.turn_path()
        sys.meta_path.insert(0, finder)
    atexit.register(guard.report)
    __import__("fanfold_guard_children").watch(guard)


def chain(ours: str) -> None:
    """Load the `sitecustomize` that would have been loaded without ours."""
    here = os.path.dirname(os.path.abspath(ours))
    spec = PathFinder.find_spec("sitecustomize", [entry for entry in sys.path if os.path.abspath(entry) != here])
    if spec is not None and guard is not None and guard.places.redirects:
        spec = guard.finder._turned("sitecustomize", spec)
    if spec is not None and spec.loader is not None:
        module = module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


def pytest_sessionfinish(session: Any) -> None:
    """Fail the session where code of the main checkout ran."""
    if guard is not None:
        guard.session = True
        guard.report()
        if guard.offences() and session.exitstatus == 0:
            session.exitstatus = 1


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Name the modules that came from the main checkout."""
    for name, file in guard.offences() if guard is not None else ():
        terminalreporter.write_line(f"fanfold: module {name} was loaded from the main checkout: {file}")
