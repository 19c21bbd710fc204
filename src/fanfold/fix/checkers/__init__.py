"""Checkers: one Protocol, one module each, found through the entry points `fanfold.checkers`."""

from fanfold.fix.checkers.protocol import Checked, Checker, Reach, Scope
from fanfold.fix.checkers.run import Census, checkers_for, refuse_unasked, run_checkers

__all__ = ["Census", "Checked", "Checker", "Reach", "Scope", "checkers_for", "refuse_unasked", "run_checkers"]
