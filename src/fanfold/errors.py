"""The base of every error that Fanfold raises on purpose.

Subclasses stand beside what raises them:

    FanfoldError
    ├── engine.DuplicateKeyError        two items of one fan-out share a key
    ├── engine.IsolationError           an item can't be copied
    ├── engine.BranchError              why a branch has no value
    │   ├── engine.DeadlineExceeded
    │   └── engine.BranchCancelled
    ├── process.ProcessError            a program can't be started
    │   └── process.ProgramNotFound     it isn't installed, or may not be executed
    ├── agents.AgentUnusable            there is no such agent, or it can't work with its settings
    ├── agents.AgentError               an agent ended without an answer
    ├── git.GitError                    git itself failed, in its own words
    │   ├── git.RepositoryError         not a repository, bare, no commit yet, ...
    │   ├── git.WorkspaceError          a workspace can't be made, leased or reset
    │   └── git.LandError               a change can't be put on the result branch
    ├── config.ConfigError              a setting is unknown or has a wrong value
    └── fix.FixError                    the request can't be carried out as asked
"""

from __future__ import annotations


class FanfoldError(Exception):
    """What happened, and a hint what to do about it.

    Args:
        message: one sentence that says what happened, naming the input at fault.
        hint: what the user can do about it, imperative; None where nothing helps.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
