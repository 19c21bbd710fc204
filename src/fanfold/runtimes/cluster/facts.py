"""What coordinator and worker must have in common, and how they differ."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fanfold.engine import fields_of
from fanfold.runtimes.cluster.errors import VersionsDiffer
from fanfold.runtimes.flow import Flow, name_of

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
PACKAGES = ("fanfold", "dask", "distributed", "pydantic")
HINT = "install the same versions on every worker, restart the workers, and run it again"


def software(versions: Mapping[str, Any]) -> dict[str, str]:
    """The versions that count, of those that Dask's `versions` tells of a process."""
    packages: Mapping[str, Any] = versions["packages"]
    minor = ".".join(str(packages.get("python")).split(".")[:2])
    return {"Python": minor, **{name: str(packages.get(name) or "not installed") for name in PACKAGES}}


def software_here() -> dict[str, str]:
    """The versions that count, of this process."""
    from distributed.versions import get_versions  # noqa: PLC0415 an extra

    return software(get_versions(PACKAGES))


def of_flow(flow: Flow[Any]) -> dict[str, str]:
    """What a flow says of itself; each part of it counts."""
    fields = ", ".join(f"{name}: {_ADDRESS.sub('', repr(field.type))}" for name, field in fields_of(flow.state).items())
    return {
        "the flow's name": flow.name,
        "the flow's version": flow.version,
        "the flow's hops": ", ".join(name_of(hop) for hop in flow.hops),
        "the flow's state": f"{flow.state.__qualname__}({fields})",
        "the flow's preparation": "none" if flow.prepare_worker is None else name_of(flow.prepare_worker),
    }


def refuse_difference(here: Mapping[str, str], there: Mapping[str, str], worker: str) -> None:
    """Refuse a worker that differs.

    Raises:
        VersionsDiffer: naming both sides of each difference.
    """
    differ = [
        f"{name} is {here.get(name)} here and {there.get(name)} there"
        for name in [*here, *(name for name in there if name not in here)]
        if here.get(name) != there.get(name)
    ]
    if differ:
        raise VersionsDiffer(f"the worker {worker} runs other code: {'; '.join(differ)}", hint=HINT)
