"""Every subprocess that Fanfold starts, git's included, goes through here."""

from fanfold.process.environ import allowed_environment
from fanfold.process.programs import find_program
from fanfold.process.run import Completed, ProcessError, ProgramNotFound, run

__all__ = ["Completed", "ProcessError", "ProgramNotFound", "allowed_environment", "find_program", "run"]
