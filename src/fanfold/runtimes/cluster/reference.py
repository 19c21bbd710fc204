"""Which flow it is: the module and the name that a worker imports it by."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from fanfold.runtimes.cluster.errors import FlowNotImportable
from fanfold.runtimes.flow import Flow

HINT = "define it at the top level of a module that workers can import, as `name = Flow(...)`"


def reference_of(flow: Flow[Any]) -> str:
    """`module:name` of a flow.

    Raises:
        FlowNotImportable: no module has it, or only the script that was started.
    """
    in_script = None
    for module in _modules(flow):
        for name, value in list(vars(module).items()):
            if value is flow:
                importable = _importable_name(module)
                if importable is not None:
                    return f"{importable}:{name}"
                in_script = name
    if in_script is not None:
        raise FlowNotImportable(
            f"the flow {flow.name} is {in_script} of the script that was started, which workers can't import",
            hint="move it to a module of its own, and import it from there",
        )
    raise FlowNotImportable(f"no module has the flow {flow.name}, so workers can't import it", hint=HINT)


def flow_at(reference: str) -> Flow[Any]:
    """The flow that a reference names.

    Raises:
        FlowNotImportable: its module can't be imported here, or has no such flow.
    """
    module, _, name = reference.partition(":")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except Exception as error:
        # The module's own code runs when it is imported: it may raise anything.
        raise FlowNotImportable(
            f"the module {module}, which has the flow {name}, can't be imported here: {type(error).__name__}: {error}",
            hint="install what the flow needs on every worker, in the same versions",
        ) from error
    if not isinstance(found, Flow):
        raise FlowNotImportable(f"{module} has no flow {name} here", hint="install the same code on every worker")
    return found


def _modules(flow: Flow[Any]) -> Iterator[ModuleType]:
    """Where it may be, the likely ones first."""
    parts = [*flow.hops, *flow.prepare, *flow.finish, flow.items, flow.state]
    likely = dict.fromkeys(getattr(part, "__module__", None) or "" for part in parts)
    for name in [*likely, *(name for name in list(sys.modules) if name not in likely)]:
        module = sys.modules.get(name)
        if isinstance(module, ModuleType):
            yield module


def _importable_name(module: ModuleType) -> str | None:
    """The name to import a module by; a script has none, what `python -m` runs has one."""
    if module.__name__ != "__main__":
        return module.__name__
    spec = getattr(module, "__spec__", None)
    return spec.name if spec is not None else None
