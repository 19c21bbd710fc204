"""Every subprocess that Fanfold starts, git's included, goes through here."""

from fanfold.process.run import Completed, ProgramNotFound, run

__all__ = ["Completed", "ProgramNotFound", "run"]
