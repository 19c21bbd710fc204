"""In which second file the cause of a finding may lie: what is called, derived from or asked for is defined there."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

from fanfold.fix.findings.finding import Finding
from fanfold.fix.findings.split import Task
from fanfold.syntax import parse

CROSSING = frozenset(
    {
        # mypy
        "arg-type", "attr-defined", "call-arg", "call-overload", "override", "abstract", "union-attr", "typeddict-item",
        "no-untyped-call", "index", "operator",
        # pyright and basedpyright
        "reportArgumentType", "reportAttributeAccessIssue", "reportCallIssue", "reportIncompatibleMethodOverride",
        "reportIncompatibleVariableOverride", "reportAbstractUsage", "reportOptionalMemberAccess", "reportIndexIssue",
        # ty
        "invalid-argument-type", "unresolved-attribute", "missing-argument", "unknown-argument",
        "too-many-positional-arguments", "invalid-method-override", "possibly-missing-attribute",
        "possibly-unbound-attribute", "no-matching-overload",
        # pyrefly
        "bad-argument-type", "bad-argument-count", "unexpected-keyword", "missing-attribute", "bad-override",
        # pylint
        "no-member", "no-value-for-parameter", "too-many-function-args", "unexpected-keyword-arg", "arguments-differ",
        "arguments-renamed", "signature-differs", "abstract-method",
    }
)  # fmt: skip
"""Rules of type checkers whose findings speak of two places at once."""

ROOTS = ("", "src/", "lib/", "python/")
MAX_HOPS = 3
"""So many imports are followed from a file that only passes a name on."""
MAX_MODULES = 40
"""So many modules are looked into for a name that a file doesn't import itself."""

_QUOTED = re.compile(r"[\"'`]([A-Za-z_][\w.]*)[\"'`]")

Read = Callable[[str], Awaitable[bytes | None]]


async def with_others(
    tasks: Sequence[Task], paths: Collection[str], read: Read, allowed: Callable[[str], bool]
) -> tuple[Task, ...]:
    """The tasks, each with the one other file, if any, that most of its findings point to.

    Args:
        paths: all files of the commit.
        read: gives the content of one.
        allowed: whether a file may be changed.
    """
    project = Definitions(read, frozenset(paths))
    return tuple([replace(task, others=await _others(task, project, allowed)) for task in tasks])


async def _others(task: Task, project: Definitions, allowed: Callable[[str], bool]) -> tuple[str, ...]:
    if task.is_test:
        return ()
    found = Counter[str]()
    for finding in task.findings:
        found.update({path async for path in _pointed_at(finding, project) if path != task.path and allowed(path)})
    return tuple(path for path, _ in found.most_common(1))


async def _pointed_at(finding: Finding, project: Definitions) -> AsyncIterator[str]:
    if finding.related is not None:
        yield finding.related
    if finding.rule in CROSSING and finding.path.endswith((".py", ".pyi")):
        for name in dict.fromkeys(_QUOTED.findall(finding.message)):
            path = await project.where(name, finding.path)
            if path is not None:
                yield path


@dataclass(frozen=True)
class Imported:
    """A name that a file imports: the module's file and its name there, None = it is the module itself."""

    names: tuple[str, ...]
    path: str
    original: str | None


@dataclass
class Definitions:
    """Where the files of one commit define names; each is read once, when it is needed."""

    read: Read
    paths: frozenset[str]
    _trees: dict[str, ast.Module | None] = field(default_factory=dict)

    async def where(self, name: str, path: str) -> str | None:
        """The file that defines what is called `name` in the file `path`; None where that is no file of the project."""
        if "." in name and (module := self._module_of(name, path)):
            return await self._defining(module[1].partition(".")[0], module[0], MAX_HOPS) or module[0]
        first = name.partition(".")[0]
        tree = await self._tree(path)
        if tree is None or first in _defined(tree):
            return None
        imported = list(self._imports(tree, path))
        for one in imported:
            if first in one.names:
                return one.path if one.original is None else await self._defining(one.original, one.path, MAX_HOPS)
        return await self._further(first, [one.path for one in imported])

    async def _further(self, name: str, waiting: list[str]) -> str | None:
        """The nearest file by imports that defines a name."""
        seen: set[str] = set()
        while waiting and len(seen) < MAX_MODULES:
            path = waiting.pop(0)
            tree = await self._tree(path) if path not in seen else None
            seen.add(path)
            if tree is None:
                continue
            if name in _defined(tree):
                return path
            waiting += [one.path for one in self._imports(tree, path)]
        return None

    async def _defining(self, name: str, path: str, hops: int) -> str | None:
        """The file that defines a name which a module has, its own imports followed."""
        tree = await self._tree(path)
        if tree is None or not name or name in _defined(tree):
            return path
        for one in self._imports(tree, path) if hops else ():
            if name in one.names:
                return one.path if one.original is None else await self._defining(one.original, one.path, hops - 1)
        return path

    async def _tree(self, path: str) -> ast.Module | None:
        if path not in self._trees:
            self._trees[path] = _parsed(await self.read(path))
        return self._trees[path]

    def _imports(self, tree: ast.Module, path: str) -> Iterator[Imported]:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if file := self._file(alias.name, path):
                        yield Imported((alias.asname or alias.name.partition(".")[0],), file, None)
            elif isinstance(node, ast.ImportFrom):
                yield from self._from(node, path)

    def _from(self, node: ast.ImportFrom, path: str) -> Iterator[Imported]:
        module = node.module or ""
        folder = path.split("/")[: -node.level] if node.level else None
        for alias in node.names:
            inner = ".".join(part for part in (module, alias.name) if part)
            names = (alias.asname or alias.name, alias.name)
            if file := self._file(inner, path, folder):
                yield Imported(names, file, None)
            elif file := self._file(module, path, folder):
                yield Imported(names, file, alias.name)

    def _module_of(self, name: str, path: str) -> tuple[str, str] | None:
        """The file of the module that a dotted name begins with, and the rest of the name."""
        parts = name.split(".")
        for end in range(len(parts), 0, -1):
            if file := self._file(".".join(parts[:end]), path):
                return file, ".".join(parts[end:])
        return None

    def _file(self, module: str, path: str, folder: Sequence[str] | None = None) -> str | None:
        """The file of a module, relative to a folder or as `path` may import it."""
        inner = module.replace(".", "/")
        roots = (*ROOTS, self._root(path)) if folder is None else ("".join(f"{part}/" for part in folder),)
        for root in roots:
            for name in (f"{root}{inner}.py", f"{root}{inner}/__init__.py", f"{root}{inner}__init__.py"):
                if name in self.paths and (inner or name.endswith("/__init__.py")):
                    return name
        return None

    def _root(self, path: str) -> str:
        """The folder above the packages that a file is in."""
        folder = path.rpartition("/")[0]
        while folder and f"{folder}/__init__.py" in self.paths:
            folder = folder.rpartition("/")[0]
        return f"{folder}/" if folder else ""


def _parsed(source: bytes | None) -> ast.Module | None:
    try:
        return None if source is None else parse(source)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def _defined(tree: ast.Module) -> set[str]:
    """Functions, classes and variables of a module."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found.update(target.id for target in targets if isinstance(target, ast.Name))
    return found
