"""Rules that turn evidence into an answer: no model, the same evidence always comes to the same answer."""

from fanfold.troubleshoot.rules.conclude import conclude
from fanfold.troubleshoot.rules.tables import prepared

__all__ = ["conclude", "prepared"]
