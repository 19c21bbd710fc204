"""What can go wrong around a run of `fanfold fix`, each with the real program on a real repository.

A test makes a user's repository as the hazard wants it, runs the program with a scripted agent, and looks at
everything: the harness compares the user's checkout and git directory byte by byte and sees that no process, lock,
mount, worktree, temporary file or ref is left; the test looks at the result branch, the report and the exit code.
"""

import pytest

pytest.register_assert_rewrite(f"{__name__}.harness")
