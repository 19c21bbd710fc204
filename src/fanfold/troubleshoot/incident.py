"""What is asked about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

Language: TypeAlias = Literal["en", "pt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """What every source is asked about; data alone.

    Attributes:
        message: what the user said, as it was said.
        jobs: names of the jobs that it is about; none where it names none.
        instance: the scheduler's instance, or the environment; None = the one that is configured.
        codes: abend, return and message codes found in the message, in upper case.
        at: when it happened, with a time zone; None = not known, so sources look at what is newest.
        now: when it was asked, with a time zone.
        window_s: seconds before `at` (else `now`) that matter.
        language: of the message, and of the answer.
    """

    message: str
    now: datetime
    jobs: tuple[str, ...] = ()
    instance: str | None = None
    codes: tuple[str, ...] = ()
    at: datetime | None = None
    window_s: float = 3600.0
    language: Language = "en"

    @property
    def until(self) -> datetime:
        """The end of the window that matters."""
        return self.at or self.now
