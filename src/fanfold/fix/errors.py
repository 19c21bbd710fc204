"""The error of a request that can't be carried out as asked."""

from __future__ import annotations

from fanfold.errors import FanfoldError


class FixError(FanfoldError):
    """What the user asked of `fanfold fix` can't be done, and why."""
