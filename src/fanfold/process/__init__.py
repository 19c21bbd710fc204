"""Every subprocess that Fanfold starts, git's included, goes through here."""

from fanfold.process.bounds import Growth, TooLarge, limited
from fanfold.process.environ import allowed_environment
from fanfold.process.programs import find_program
from fanfold.process.proxy import Proxy, ProxyError
from fanfold.process.reach import program_reach, python_reach
from fanfold.process.run import Completed, ProcessError, ProgramNotFound, run
from fanfold.process.sandbox import Gate, Network, Sandbox, read_only, unusable
from fanfold.process.uninterrupted import uninterrupted

__all__ = [
    "Completed",
    "Gate",
    "Growth",
    "Network",
    "ProcessError",
    "ProgramNotFound",
    "Proxy",
    "ProxyError",
    "Sandbox",
    "TooLarge",
    "allowed_environment",
    "find_program",
    "limited",
    "program_reach",
    "python_reach",
    "read_only",
    "run",
    "uninterrupted",
    "unusable",
]
