"""What goes wrong between branches and the data that they share."""

from __future__ import annotations

from fanfold.errors import FanfoldError


class IsolationError(FanfoldError):
    """A value can't be copied, so a branch could change what others see."""


class FrozenError(FanfoldError, TypeError):
    """Code tried to change a part of the frozen base that all branches share."""


class Refused(Exception):
    """Why one part of a value can't be copied; gathers the path to it on its way up."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(why)
        self.path, self.why = path, why

    def below(self, step: str) -> Refused:
        """The same, seen from the container that holds the part at `step`."""
        self.path = step + self.path
        return self
