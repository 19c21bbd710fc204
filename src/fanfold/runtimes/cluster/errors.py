"""What can go wrong between a coordinator and its workers."""

from __future__ import annotations

import functools

from fanfold.errors import FanfoldError


class ClusterError(FanfoldError):
    """A cluster can't be used, or not in this way."""


class ClusterUnavailable(ClusterError, ImportError):
    """Dask's distributed scheduler, which the cluster runtime stands on, isn't installed."""


class InsecureAddress(ClusterError):
    """What is sent to an address could be read, or answered, by anyone."""


class FlowNotImportable(ClusterError):
    """A worker couldn't find the flow: it is no object that a module has by name."""


class VersionsDiffer(ClusterError):
    """Coordinator and worker don't run the same code."""


class NoWorkers(ClusterError):
    """There is no worker to place a branch on."""


class WorkerFailed(ClusterError):
    """The workers that a branch ran on were lost, one after another."""


class WorkerLost(Exception):
    """The connection to a worker has ended; what ran on it has no answer.

    Args:
        worker: the address of the worker.
    """

    def __init__(self, worker: str) -> None:
        super().__init__(worker)
        self.worker = worker


class RemoteError(ClusterError):
    """What a branch raised on a worker, as data; its traceback there is in the notes.

    Each is of a subclass that is called as the original's type, so that reports name it as on every runtime.

    Attributes:
        type_name: the qualified name of the original's type, such as `builtins.ValueError`.
        traceback: the text that Python would have printed on the worker.
        worker: the address of the worker.
    """

    def __init__(self, message: str, *, type_name: str, hint: str | None, traceback: str, worker: str) -> None:
        super().__init__(message, hint=hint)
        self.type_name = type_name
        self.traceback = traceback
        self.worker = worker
        self.add_note(f"On the worker {worker}:\n{traceback}")

    def __reduce__(self) -> tuple[object, ...]:
        return remote_error, (self.type_name, self.message, self.hint, self.traceback, self.worker)


def remote_error(type_name: str, message: str, hint: str | None, traceback: str, worker: str) -> RemoteError:
    """An error of a worker, under the name of the original's type."""
    return _kind(type_name)(message, type_name=type_name, hint=hint, traceback=traceback, worker=worker)


@functools.lru_cache(maxsize=256)
def _kind(type_name: str) -> type[RemoteError]:
    module, _, name = type_name.rpartition(".")
    return type(name, (RemoteError,), {"__module__": module, "__doc__": f"A {type_name} of a worker."})
