"""What is kept of each run outside of the repository: enough to finish it, to look at it, and to take it back."""

from fanfold.fix.runs.folder import RunFolder, home_of
from fanfold.fix.runs.past import Past, RunState, find_past, find_unfinished, pasts

__all__ = ["Past", "RunFolder", "RunState", "find_past", "find_unfinished", "home_of", "pasts"]
