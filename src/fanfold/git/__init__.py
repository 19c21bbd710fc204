"""The only place that runs git: the user's repository, private workspaces, changes, and landing them."""

from fanfold.git.change import Change, PathChange
from fanfold.git.command import GitError
from fanfold.git.diff import FileDiff, Hunk
from fanfold.git.land import BranchMoved, LandConflict, Landed, LandError, ResultBranch
from fanfold.git.repository import Entry, Identity, Repository, RepositoryError, WorkingState
from fanfold.git.workspace import Workspace, WorkspaceError, WorkspacePool

__all__ = [
    "BranchMoved",
    "Change",
    "Entry",
    "FileDiff",
    "GitError",
    "Hunk",
    "Identity",
    "LandConflict",
    "LandError",
    "Landed",
    "PathChange",
    "Repository",
    "RepositoryError",
    "ResultBranch",
    "WorkingState",
    "Workspace",
    "WorkspaceError",
    "WorkspacePool",
]
