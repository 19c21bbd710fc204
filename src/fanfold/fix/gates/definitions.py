"""No function or class is fixed by taking it away, except where it is one that nobody needs or a better name is due."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from fanfold.fix.finding import Finding
from fanfold.fix.gates.edit import Definition, Edit
from fanfold.fix.gates.rules import NAMING, REDEFINED, UNUSED_DEFINITION, names_of

MOVING = frozenset({"PLR6301", "no-self-use", "PLR0201"})


def check(edit: Edit) -> Iterator[str]:
    """Every definition is still there, and some code is."""
    old, new = edit.old.tree, edit.new.tree
    if not new.body and any(not isinstance(node, ast.Import | ast.ImportFrom) for node in old.body):
        yield "removes all of the code"
        return
    kept = definitions(new)
    for name, headers in definitions(old).items():
        if len(kept.get(name, ())) < len(headers) and not any(_may_go(edit, name, one) for one in headers):
            if name not in kept:
                yield f"removes {name}, which no finding is about"
            elif not _alternatives(headers):
                yield f"removes one of the definitions of {name}"


def definitions(tree: ast.AST, prefix: str = "") -> dict[str, list[Definition]]:
    """The functions and classes of a module and their methods by name, not those within functions' own names."""
    found: dict[str, list[Definition]] = {}
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, Definition):
            name = f"{prefix}{child.name}"
            found.setdefault(name, []).append(child)
            inner = definitions(child, f"{name}.") if isinstance(child, ast.ClassDef) else {}
        else:
            inner = definitions(child, prefix)
        for name, ones in inner.items():
            found.setdefault(name, []).extend(ones)
    return found


def header(node: Definition) -> range:
    """The lines from the decorators up to the body."""
    first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
    return range(first, max(node.body[0].lineno, node.lineno + 1))


def _may_go(edit: Edit, name: str, node: Definition) -> bool:
    return any(_excuses(finding, node) for finding in edit.rules_at(header(node))) or _is_redefined(edit, name)


def _excuses(finding: Finding, node: Definition) -> bool:
    """Whether a finding at a definition asks for its removal, or for another name or place of it."""
    if finding.rule in UNUSED_DEFINITION or finding.rule in REDEFINED or finding.rule in MOVING:
        return True
    return bool(NAMING.match(finding.rule)) and node.name in (names_of(finding) or {node.name})


def _is_redefined(edit: Edit, name: str) -> bool:
    """Whether a finding says that a name is defined again: the first definition or the second one may go."""
    last = name.rsplit(".", maxsplit=1)[-1]
    return any(finding.rule in REDEFINED and last in names_of(finding) for finding in edit.findings)


def _alternatives(nodes: list[Definition]) -> bool:
    """Whether definitions of one name are branches of a choice, such as those for two versions of Python."""
    return any(node.col_offset for node in nodes) or any(node.decorator_list for node in nodes)
