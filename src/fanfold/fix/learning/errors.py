"""What learning raises."""

from __future__ import annotations

from fanfold.errors import FanfoldError


class LearningError(FanfoldError):
    """What was learned can't be read, written, imported or found; a run goes on without it."""
