"""Which runtime runs a flow: by the name that a user gave it, or by what is installed."""

from __future__ import annotations

import gc
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from fanfold.errors import FanfoldError
from fanfold.runtimes.native import Native
from fanfold.runtimes.run import Runtime

RuntimeName: TypeAlias = Literal["auto", "native", "langgraph", "cluster"]

PACKAGES = {"langgraph": "langgraph", "cluster": "distributed"}
"""By the runtime's name, the package that it can't do without."""


class RuntimeUnavailable(FanfoldError):
    """There is no such runtime, it isn't installed, or it can't be used in the way that was asked for."""


def runtime_for(
    name: str = "auto", *, cluster: str | None = None, workers: int | None = None, certificates: Path | None = None
) -> Runtime:
    """The runtime of this name.

    Args:
        name: "auto" is LangGraph where it is installed, else native.
        cluster: address of a cluster's scheduler, as `tcp://127.0.0.1:8786`.
        workers: processes of a local cluster that lasts as long as the run.
        certificates: folder with ca.pem, cert.pem and key.pem, for a cluster that is on other machines.
    Raises:
        RuntimeUnavailable: before anything starts, with what to install or to leave out.
    """
    if name not in get_args(RuntimeName):
        raise RuntimeUnavailable(
            f"there is no runtime {name!r}", hint=f"choose one of {', '.join(get_args(RuntimeName))}"
        )
    name = chosen(name)
    if name in PACKAGES and not installed(name):
        raise RuntimeUnavailable(
            f"the runtime {name} needs {PACKAGES[name]}, which is not installed",
            hint=f"pip install 'fanfold[{name}]', or choose the runtime native",
        )
    if name == "cluster":
        return _cluster(cluster, workers, certificates)
    if name == "langgraph":
        return _langgraph()
    return Native()


def chosen(name: str) -> str:
    """The runtime that a name stands for: itself, or what "auto" comes to here."""
    if name != "auto":
        return name
    return "langgraph" if installed("langgraph") else "native"


def installed(name: str) -> bool:
    """Whether a runtime can be imported; costs no import."""
    return name not in PACKAGES or find_spec(PACKAGES[name]) is not None


def _langgraph() -> Runtime:
    # It takes most of a second to import, a tenth of that in looking for garbage among what is all kept.
    collects = gc.isenabled()
    gc.disable()
    try:
        from fanfold.runtimes.langgraph import LangGraph  # noqa: PLC0415  an extra
    finally:
        if collects:
            gc.enable()
    return LangGraph()


def _cluster(address: str | None, workers: int | None, certificates: Path | None) -> Runtime:
    if (address is None) == (workers is None):
        raise RuntimeUnavailable(
            "a cluster is either one that runs, or a number of workers to start here",
            hint="give an address or a number of workers, as --cluster tcp://127.0.0.1:8786 or --workers 4",
        )
    from fanfold.runtimes.cluster import TLS, Cluster  # noqa: PLC0415  an extra

    if certificates is None:
        return Cluster(address, workers=workers)
    tls = TLS(ca=certificates / "ca.pem", cert=certificates / "cert.pem", key=certificates / "key.pem")
    return Cluster(address, workers=workers, tls=tls)
