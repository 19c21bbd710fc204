"""Whether what a change imports is there: in the project, or in what is installed for it."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from fanfold.fix.gates.edit import Edit
from fanfold.fix.gates.names import new_attributes, new_imports
from fanfold.process import run
from fanfold.syntax import parse

ASK_DEADLINE_S = 60.0
SCRIPT = """
import importlib.util, json, sys
found = {}
for name in json.load(sys.stdin):
    try:
        spec = importlib.util.find_spec(name)
    except Exception:
        spec = None
    if spec is not None:
        paths = list(spec.submodule_search_locations or ())
        names = None
        if spec.origin in ("built-in", "frozen") or name in sys.builtin_module_names:
            names = dir(importlib.import_module(name))
        found[name] = {"origin": spec.origin, "paths": paths, "names": names}
print(json.dumps(found))
"""
"""Asks for packages at the top only, which runs nothing of them; builtin modules are Python itself."""

MEMBERS = """
import enum, importlib, json, sys
absent = []
for name in json.load(sys.stdin):
    first, *rest = name.split(".")
    try:
        found = importlib.import_module(first)
        for part in rest:
            if isinstance(found, type) and not isinstance(found, enum.EnumMeta) and not hasattr(found, part):
                absent.append(name)
                break
            found = getattr(found, part)
    except Exception:
        pass
print(json.dumps(absent))
"""
"""Asks whether classes of Python's own have members, which the text of modules written in C doesn't tell."""
LOUD = frozenset({"antigravity", "this", "__hello__", "__phello__", "__main__", "idlelib", "turtledemo", "test"})


@dataclass(frozen=True)
class Module:
    """A module that is there; `names` are those it has, None = unknown."""

    folders: tuple[Path, ...] = ()
    names: frozenset[str] | None = None


@dataclass
class Modules:
    """What a project's Python can import at one moment, read and not run.

    Args:
        python: the project's interpreter.
        root: the working tree, whose modules come first.
    """

    python: Path
    root: Path
    _top: dict[str, Module | None] = field(default_factory=dict)
    _own: set[str] = field(default_factory=set)

    async def missing(self, edit: Edit) -> tuple[str, ...]:
        """What the change imports anew, or uses of a module anew, and isn't there."""
        imports = {name for name in new_imports(edit) if not name.startswith(".")}
        used = (name.replace("os.path.", "posixpath.") for name in new_attributes(edit))
        attributes = {name for name in used if not name.startswith(".")}
        if not (imports or attributes):
            return ()
        wanted = {name.split(":")[0].split(".")[0] for name in (*imports, *attributes)}
        above = [self.root / one for one in PurePosixPath(edit.path).parents]
        await self._ask(wanted, [*above, self.root / "src"])
        reasons = [f"imports {name.replace(':', '.')}, which is not there" for name in imports if not self._has(name)]
        absent = {name for name in attributes if not self._has_attribute(name)}
        absent |= await self._absent_members({one for one in attributes - absent if self._is_python(one)})
        reasons += [f"uses {name}, which is not there" for name in absent]
        return tuple(f"{reason} (gate names)" for reason in sorted(reasons))

    async def _ask(self, names: Iterable[str], folders: Iterable[Path]) -> None:
        wanted = sorted(names)
        done = await run(
            [self.python, "-I", "-c", SCRIPT], stdin=json.dumps(wanted).encode(), deadline_s=ASK_DEADLINE_S
        )
        found: Mapping[str, dict[str, list[str] | str | None]] | None = None
        if done.returncode == 0:
            found = json.loads(done.stdout)
        for name in wanted:
            own = [folder for folder in folders if _is_here(folder, name)]
            if own:
                self._own.add(name)
                self._top[name] = _read(own[0], name)
            elif found is None:
                self._top[name] = Module()  # whoever can't be asked is believed to have it
            else:
                self._top[name] = _told(found[name]) if name in found else None

    def _is_python(self, name: str) -> bool:
        """Whether a name of three parts or more is of the standard library, and no module of the project's."""
        first, *rest = name.split(".")
        return len(rest) > 1 and first in sys.stdlib_module_names - LOUD and first not in self._own

    async def _absent_members(self, names: Iterable[str]) -> frozenset[str]:
        wanted = sorted(names)
        if not wanted:
            return frozenset()
        asked = json.dumps(wanted).encode()
        done = await run([self.python, "-I", "-c", MEMBERS], stdin=asked, deadline_s=ASK_DEADLINE_S)
        return frozenset(json.loads(done.stdout)) if done.returncode == 0 else frozenset()

    def _has(self, name: str) -> bool:
        """Whether a module, or a name of one after a colon, is there as far as can be known."""
        path, _, wanted = name.partition(":")
        module = self._module(path)
        if module is None:
            return False
        if not wanted or wanted == "*" or module.names is None or wanted in module.names:
            return True
        return any(_is_here(folder, wanted) for folder in module.folders)

    def _module(self, path: str) -> Module | None:
        first, *rest = path.split(".")
        module = self._top.get(first, Module())
        for part in rest:
            if module is None or not module.folders:
                return module
            folder = next((one for one in module.folders if _is_here(one, part)), None)
            if folder is None:
                return Module() if module.names is None or part in module.names else None
            module = _read(folder, part)
        return module

    def _has_attribute(self, name: str) -> bool:
        """Whether the longest part of a name that is a module has the next part."""
        parts = name.split(".")
        module = self._top.get(parts[0])
        if module is None:
            return True  # its import has been judged
        for part in parts[1:]:
            folder = next((one for one in module.folders if _is_here(one, part)), None)
            if folder is None:
                return module.names is None or part in module.names or part.startswith("__")
            module = _read(folder, part)
        return True


def _is_here(folder: Path, name: str) -> bool:
    if (folder / f"{name}.py").is_file() or (folder / f"{name}.pyi").is_file() or (folder / name).is_dir():
        return True
    return any(folder.glob(f"{name}.*.so")) or any(folder.glob(f"{name}.*.pyd")) or (folder / f"{name}.so").is_file()


def _read(folder: Path, name: str) -> Module:
    package = folder / name
    if package.is_dir():
        return Module((package,), _names(package / "__init__.py"))
    return Module((), _names(folder / f"{name}.py"))


def _told(said: Mapping[str, list[str] | str | None]) -> Module:
    names, origin = said["names"], said["origin"]
    folders = tuple(Path(one) for one in said["paths"] or ())
    if isinstance(names, list):
        return Module(folders, frozenset(names))
    return Module(folders, _names(Path(origin)) if isinstance(origin, str) and origin.endswith(".py") else None)


def _names(file: Path) -> frozenset[str] | None:
    """The names that a module binds anywhere; None where it may have others."""
    try:
        tree = parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.alias):
            found.add(node.asname or node.name.split(".")[0])
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Global):
            found.update(node.names)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)
        if isinstance(node, ast.Name) and node.id in {"globals", "vars", "locals", "setattr", "exec"}:
            return None
        if _is_entry(node):
            return None
    return None if found & {"*", "__getattr__"} else frozenset(found)


def _is_entry(node: ast.AST) -> bool:
    """Whether this is a module's own entry in `sys.modules`, which may become another module."""
    match node:
        case ast.Subscript(value=ast.Attribute(attr="modules"), slice=ast.Name(id="__name__"), ctx=ast.Store()):
            return True
    return False
