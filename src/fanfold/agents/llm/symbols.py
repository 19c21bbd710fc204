"""The definitions, in the project, of what the code around the findings uses."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fanfold.agents.llm.outline import Outline
from fanfold.agents.llm.text import Text
from fanfold.agents.protocol import Diagnostic
from fanfold.syntax import parse

MOST_FILE_BYTES = 400_000
MOST_FILES = 30
MOST_LINES = 30
MOST_HEAD_LINES = 8
ROOTS = ("", "src")
MENTIONED = re.compile(r"[`\"']([A-Za-z_][\w.]*)[`\"']")


@dataclass(frozen=True)
class Symbol:
    """A name's definition, cut to what a caller needs to see."""

    name: str
    path: str
    line: int
    code: str

    @property
    def rows(self) -> range:
        """The lines that it has in its file, about."""
        return range(self.line, self.line + self.code.count("\n") + 1)


def symbols_of(root: Path, file: Text, findings: Sequence[Diagnostic]) -> list[Symbol]:
    """Definitions of the names that the findings' functions use or the findings speak of; the same file's first.

    Args:
        root: the workspace; no file outside of it is read.
        file: with the findings.
    """
    if (outline := file.outline) is None:
        return []
    names = list(dict.fromkeys((*_mentioned(findings), *_used(outline, findings))))
    here = [symbol for name in names if (symbol := _here(outline, file, name, findings))]
    elsewhere = [name for name in names if name not in {one.name for one in here}]
    return [*here, *_imported(root, file.path, outline, elsewhere)]


def pointed_at(other: Text, findings: Iterable[Diagnostic], symbols: Iterable[Symbol]) -> Iterator[int]:
    """The lines of another file that findings speak of, then those where it defines what their code uses.

    Args:
        symbols: of the file with the findings, in whatever file they are.
    """
    for name in dict.fromkeys(_mentioned(findings)):
        places = other.outline.named(name.rpartition(".")[2]) if other.outline is not None else ()
        yield from (place.first for place in places)
    yield from (symbol.line for symbol in symbols if symbol.path == other.path)


def _mentioned(findings: Iterable[Diagnostic]) -> Iterator[str]:
    for finding in findings:
        yield from MENTIONED.findall(finding.message)


def _used(outline: Outline, findings: Iterable[Diagnostic]) -> Iterator[str]:
    """Names, and attributes of names, in the functions or statements around the findings."""
    for finding in findings:
        place = outline.innermost(finding.line)
        first, last = (place.first, place.last) if place is not None else outline.statement(finding.line)
        for node in ast.walk(outline.tree):
            if first <= getattr(node, "lineno", 0) <= last:
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                    yield f"{node.value.id}.{node.attr}"
                elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                    yield node.id


def _here(outline: Outline, file: Text, name: str, findings: Sequence[Diagnostic]) -> Symbol | None:
    """A definition in the same file; not of what is shown with a finding anyway."""
    owner, _, attribute = name.partition(".")
    around = outline.innermost(findings[0].line, ast.ClassDef) if owner in {"self", "cls"} and findings else None
    sought = f"{around.name}.{attribute}" if around is not None else name
    places = [place for place in outline.places if place.name == sought]
    if len(places) != 1 or any(places[0].holds(finding.line) for finding in findings):
        return None
    place = places[0]
    return Symbol(name, file.path, place.first, _cut(file.text, place.first, place.last, place.node))


def _imported(root: Path, path: str, outline: Outline, names: Iterable[str]) -> Iterator[Symbol]:
    imports = dict(_imports(outline.tree, path))
    files: dict[str, tuple[str, ast.Module] | None] = {}
    for name in names:
        owner, _, attribute = name.partition(".")
        module, member = imports.get(name) or imports.get(owner) or ("", "")
        wanted = member or attribute
        if not module or not wanted:
            continue
        for candidate in dict.fromkeys((f"{module}.{member}" if member and attribute else module, module)):
            symbol = _in_module(root, candidate, attribute if candidate != module else wanted, name, files)
            if symbol is not None:
                yield symbol
                break


def _imports(tree: ast.Module, path: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """What each imported name is: a module, and a name in it or ""."""
    package = PurePosixPath(path).parent.parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.asname or alias.name, (alias.name, "")
        elif isinstance(node, ast.ImportFrom):
            parts = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*parts, *([node.module] if node.module else [])))
            for alias in node.names:
                yield alias.asname or alias.name, (module, alias.name)


def _in_module(
    root: Path, module: str, name: str, called: str, files: dict[str, tuple[str, ast.Module] | None], depth: int = 0
) -> Symbol | None:
    """A module's top-level definition of a name; through one package that passes it on."""
    for path in _paths(module):
        if path not in files and len(files) < MOST_FILES:
            files[path] = _read(root, path)
        if (found := files.get(path)) is None:
            continue
        text, tree = found
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name == name:
                first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                return Symbol(called, path, first, _cut(text, first, node.end_lineno or node.lineno, node))
            if isinstance(node, ast.Assign | ast.AnnAssign) and name in _targets(node):
                return Symbol(called, path, node.lineno, _cut(text, node.lineno, node.end_lineno or node.lineno, node))
        passed_on = dict(_imports(tree, path)).get(name)
        if passed_on and passed_on[1] and depth == 0:
            return _in_module(root, passed_on[0], passed_on[1], called, files, depth + 1)
    return None


def _paths(module: str) -> Iterator[str]:
    place = module.replace(".", "/")
    for start in ROOTS:
        for end in (".py", "/__init__.py", ".pyi"):
            yield str(PurePosixPath(start) / f"{place}{end}")


def _read(root: Path, path: str) -> tuple[str, ast.Module] | None:
    file = root / path
    try:
        inside = file.resolve().is_relative_to(root.resolve())
        if not inside or not file.is_file() or file.stat().st_size > MOST_FILE_BYTES:
            return None
        text = file.read_text("utf-8")
        return text, parse(text)
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return None


def _targets(node: ast.Assign | ast.AnnAssign) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {one.id for one in targets if isinstance(one, ast.Name)}


def _cut(text: str, first: int, last: int, node: ast.AST) -> str:
    """A short definition whole; of a long class the heads of its methods, of a long function its own head."""
    lines = text.split("\n")
    if last - first < MOST_LINES:
        return "\n".join(lines[first - 1 : last])
    if not isinstance(node, ast.ClassDef):
        return "\n".join([*lines[first - 1 : first - 1 + MOST_HEAD_LINES], "..."])
    rows = list(range(first, node.body[0].lineno))
    for child in node.body:
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            rows += range(child.lineno, max(child.body[0].lineno, child.lineno + 1))
        elif isinstance(child, ast.AnnAssign | ast.Assign):
            rows.append(child.lineno)
    return "\n".join([*(lines[row - 1] for row in rows[: 2 * MOST_LINES]), "..."])
