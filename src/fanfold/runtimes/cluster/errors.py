"""What can go wrong between a coordinator and its workers."""

from __future__ import annotations

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

    Attributes:
        type_name: the qualified name of the original's type, such as `builtins.ValueError`.
        text: what the original said.
        traceback: the text that Python would have printed on the worker.
        worker: the address of the worker.
    """

    def __init__(self, type_name: str, text: str, *, hint: str | None, traceback: str, worker: str) -> None:
        short = type_name.rpartition(".")[2]
        super().__init__(f"{short}: {text}" if text else short, hint=hint)
        self.type_name = type_name
        self.text = text
        self.traceback = traceback
        self.worker = worker
        self.add_note(f"On the worker {worker}:\n{traceback}")

    def __reduce__(self) -> tuple[object, ...]:
        return _remade, (self.type_name, self.text, self.hint, self.traceback, self.worker)


def _remade(type_name: str, text: str, hint: str | None, traceback: str, worker: str) -> RemoteError:
    return RemoteError(type_name, text, hint=hint, traceback=traceback, worker=worker)
