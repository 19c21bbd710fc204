"""The cluster runtime: branches on the workers of a Dask cluster, everything else here."""

from __future__ import annotations

from fanfold.runtimes.cluster.address import TLS
from fanfold.runtimes.cluster.errors import (
    ClusterError,
    ClusterUnavailable,
    FlowNotImportable,
    InsecureAddress,
    NoWorkers,
    RemoteError,
    VersionsDiffer,
    WorkerFailed,
)
from fanfold.runtimes.cluster.runtime import Cluster

__all__ = [
    "TLS",
    "Cluster",
    "ClusterError",
    "ClusterUnavailable",
    "FlowNotImportable",
    "InsecureAddress",
    "NoWorkers",
    "RemoteError",
    "VersionsDiffer",
    "WorkerFailed",
]
