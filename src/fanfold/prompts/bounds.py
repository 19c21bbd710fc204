"""What a project's templates may be made of: as much as words need, and nothing that runs or grows without end.

A template is code of the repository that Fanfold itself runs, in its own process: Jinja's sandbox keeps it from
everything but memory and time. So there is no arithmetic, no call but `super()`, no loop but over a list of values.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import nodes

MAX_NAME = 60
FILTERS = frozenset({"count", "default", "first", "join", "last", "length", "trim"})
_PLAIN = frozenset(
    {
        *("Template", "Output", "TemplateData", "Const", "Name", "If", "CondExpr", "And", "Or", "Not", "Block"),
        *("Compare", "Operand", "Test"),
    }
)
_WORDS = {
    "Call": "a call of anything but super()",
    "Getattr": "an attribute",
    "Getitem": "an item",
    "For": "a loop over anything but a value",
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "FloorDiv", "Mod", "Pow", "Neg", "Pos"), "arithmetic"),
    "Filter": f"a filter other than {', '.join(sorted(FILTERS))}, or one with a number or text of its own,",
}


def too_much(tree: nodes.Template, ours: Collection[str], lists: Collection[str]) -> tuple[int, str] | None:
    """The first thing in a template that isn't for it: its line, and why; None = all of it is.

    Args:
        ours: the names of our own templates, which may be extended and included.
        lists: values that may be looped over.
    """
    from jinja2 import nodes  # noqa: PLC0415  most commands need no prompts

    waiting: list[tuple[nodes.Node, bool]] = [(tree, False)]
    while waiting:
        node, looped = waiting.pop(0)
        if (why := _refusal(node, ours, lists, looped=looped)) is not None:
            return node.lineno, why
        if isinstance(node, nodes.Call):
            continue
        looped = looped or isinstance(node, nodes.For)
        waiting += [(inner, looped) for inner in node.iter_child_nodes()]
    return None


def _refusal(node: nodes.Node, ours: Collection[str], lists: Collection[str], *, looped: bool) -> str | None:
    from jinja2 import nodes  # noqa: PLC0415  most commands need no prompts

    what = _WORDS.get(type(node).__name__, f"{type(node).__name__.lower()}")
    match node:
        case nodes.Call(node=nodes.Name(name="super"), args=[], kwargs=[], dyn_args=None, dyn_kwargs=None):
            return "super() can't stand in a loop" if looped else None
        case nodes.Filter(name=name, args=args, kwargs=[], dyn_args=None, dyn_kwargs=None) if name in FILTERS:
            return None if not args or name == "default" else f"{what} can't be used in a template of prompts"
        case nodes.For(iter=nodes.Name(name=name), recursive=False) if not looped:
            return None if name in lists else f"a loop goes over a list of values, which {name!r} isn't"
        case nodes.Extends(template=template):
            return _unknown(template, "extended", ours)
        case nodes.Include(template=template) if not looped:
            return _unknown(template, "included", (*ours, "rules"))
        case _ if type(node).__name__ in _PLAIN:
            return None
    return f"{what} can't be used in a template of prompts"


def _unknown(template: nodes.Expr, what: str, names: Collection[str]) -> str | None:
    """Why there is no such template; None = there is."""
    from jinja2 import nodes  # noqa: PLC0415  most commands need no prompts

    if not isinstance(template, nodes.Const) or not isinstance(template.value, str):
        return f"what is {what} is named by a text in quotes, one of {', '.join(names)}"
    if template.value in names:
        return None
    bare = {name.rpartition("/")[2]: name for name in names}
    near = difflib.get_close_matches(template.value.rpartition("/")[2], bare, n=1)
    meant = f"did you mean {bare[near[0]]!r}?" if near else f"there are {', '.join(names)}"
    return f"there is no template {template.value[:MAX_NAME]!r} to be {what}: {meant}"
