"""The only place that runs git: the user's repository, private workspaces, changes, and landing them."""

from fanfold.git.apply import brought_before, fast_forward, stage, unstage
from fanfold.git.bases import unpacked
from fanfold.git.branches import branch_names, make_branches
from fanfold.git.bundle import Bundle, BundleError, write_bundle
from fanfold.git.change import Change, PathChange
from fanfold.git.command import GitError
from fanfold.git.diff import FileDiff, Hunk
from fanfold.git.land import BranchMoved, LandConflict, Landed, LandError, LandRefused, ResultBranch
from fanfold.git.leftovers import Cleaned, clean
from fanfold.git.overlay.namespace import allow_overlays, why_no_overlays
from fanfold.git.parcel import Inbox, ParcelError, pack_change
from fanfold.git.pin import Pins, drop_pin, pins
from fanfold.git.pool import WorkspacePool, slot_home
from fanfold.git.recorded import contents, make_again
from fanfold.git.repository import Entry, Identity, Repository, RepositoryError, WorkingState, paths_at_head
from fanfold.git.workspace import Workspace, WorkspaceError

__all__ = [
    "BranchMoved",
    "Bundle",
    "BundleError",
    "Change",
    "Cleaned",
    "Entry",
    "FileDiff",
    "GitError",
    "Hunk",
    "Identity",
    "Inbox",
    "LandConflict",
    "LandError",
    "LandRefused",
    "Landed",
    "ParcelError",
    "PathChange",
    "Pins",
    "Repository",
    "RepositoryError",
    "ResultBranch",
    "WorkingState",
    "Workspace",
    "WorkspaceError",
    "WorkspacePool",
    "allow_overlays",
    "branch_names",
    "brought_before",
    "clean",
    "contents",
    "drop_pin",
    "fast_forward",
    "make_again",
    "make_branches",
    "pack_change",
    "paths_at_head",
    "pins",
    "slot_home",
    "stage",
    "unpacked",
    "unstage",
    "why_no_overlays",
    "write_bundle",
]
