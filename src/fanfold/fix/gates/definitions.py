"""No function or class is fixed by taking it away, except where it is one that nobody needs or a better name is due."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from fanfold.fix.findings.finding import Finding
from fanfold.fix.gates.edit import Edit
from fanfold.fix.gates.nodes import Definition, inner, plain, walk
from fanfold.fix.gates.rules import NAMING, REDEFINED, UNUSED_DEFINITION, names_of

REWRITING = ("UP", "PT", "PYI", "PIE", "FURB", "E999", "inherit-non-class", "useless-object-inheritance")
MAKING = frozenset({"dataclass", "define", "frozen", "attrs", "s"})
MOVING = frozenset({"PLR6301", "no-self-use", "PLR0201"})


def check(edit: Edit) -> Iterator[str]:
    """Every definition is still there, and some code is."""
    old, new = edit.old.tree, edit.new.tree
    if not new.body and any(not isinstance(node, ast.Import | ast.ImportFrom) for node in old.body):
        yield "removes all of the code"
        return
    yield from _outside(edit)
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
    for child in inner(tree):
        if isinstance(child, Definition):
            name = f"{prefix}{child.name}"
            found.setdefault(name, []).append(child)
            members = definitions(child, f"{name}.") if isinstance(child, ast.ClassDef) else {}
        else:
            members = definitions(child, prefix)
        for name, ones in members.items():
            found.setdefault(name, []).extend(ones)
    return found


def header(node: Definition) -> range:
    """The lines from the decorators up to the body."""
    first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
    return range(first, max(node.body[0].lineno, node.lineno + 1))


def _may_go(edit: Edit, name: str, node: Definition) -> bool:
    asked = any(_excuses(finding, node) for finding in edit.rules_at(header(node)))
    return asked or _is_redefined(edit, name) or _is_generated(edit, name)


def _excuses(finding: Finding, node: Definition) -> bool:
    """Whether a finding at a definition asks for its removal, or for another name or place of it."""
    if finding.rule in UNUSED_DEFINITION or finding.rule in REDEFINED or finding.rule in MOVING:
        return True
    return bool(NAMING.match(finding.rule)) and node.name in (names_of(finding) or {node.name})


def _is_redefined(edit: Edit, name: str) -> bool:
    """Whether a finding says that a name is defined again: the first definition or the second one may go."""
    last = name.rsplit(".", maxsplit=1)[-1]
    return any(finding.rule in REDEFINED and last in names_of(finding) for finding in edit.findings)


def _is_generated(edit: Edit, name: str) -> bool:
    """Whether a method is one that a decorator makes, now that its class is a dataclass."""
    owner, _, method = name.rpartition(".")
    made = definitions(edit.new.tree).get(owner, ())
    decorators = [one.func if isinstance(one, ast.Call) else one for node in made for one in node.decorator_list]
    generated = method in {"__init__", "__eq__", "__repr__", "__hash__"}
    return generated and any(edit.new.dotted(one).rpartition(".")[2] in MAKING for one in decorators)


def _outside(edit: Edit) -> Iterator[str]:
    """Decorators and base classes do something, too."""
    after = dict(edit.added.scopes)
    for name, old in edit.removed.scopes:
        new = after.get(name)
        if isinstance(old, Definition) and isinstance(new, Definition):
            excused = any(one.rule.startswith(REWRITING) for one in edit.rules_at(header(old)))
            if not any(edit.rules_at(header(old))) and _awaits(old) and isinstance(new, ast.FunctionDef):
                yield f"makes {name} wait, which was async"
            if not excused and len(new.decorator_list) < len(old.decorator_list):
                yield f"takes a decorator of {name} away"
            if not excused and isinstance(new, ast.ClassDef) and len(_bases(new)) < len(_bases(old)):
                yield f"takes a base class of {name} away"


def _awaits(node: Definition) -> bool:
    waiting = ast.Await | ast.AsyncFor | ast.AsyncWith
    return isinstance(node, ast.AsyncFunctionDef) and any(isinstance(one, waiting) for one in walk(node))


def _bases(node: Definition) -> list[str]:
    if not isinstance(node, ast.ClassDef):
        return []
    return [name for one in (*node.bases, *(key.value for key in node.keywords)) if (name := plain(one)) != "object"]


def _alternatives(nodes: list[Definition]) -> bool:
    """Whether definitions of one name are branches of a choice, such as those for two versions of Python."""
    return any(node.col_offset for node in nodes) or any(node.decorator_list for node in nodes)
