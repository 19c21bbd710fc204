"""Isolation: every branch has its own view of what all of them are given, at the cost of what it touches.

`freeze` takes a snapshot, its `view()` is a branch's own, and `detach` frees what a branch returns from both.
"""

from fanfold.engine.isolate.detach import detach
from fanfold.engine.isolate.errors import FrozenError, IsolationError
from fanfold.engine.isolate.freezer import Freezer, Frozen, freeze
from fanfold.engine.isolate.read_only import read_only

__all__ = [
    "Freezer",
    "Frozen",
    "FrozenError",
    "IsolationError",
    "detach",
    "freeze",
    "read_only",
]
