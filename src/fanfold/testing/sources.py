"""A source that says what it was told to, when it was told to; and four of them about one failure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.incident import Incident

MESSAGE = "Job BATCH001 falhou com ABEND S0C7"
JOB = Evidence(
    source="tws_status",
    kind="job",
    subject="BATCH001",
    text="Job BILLING.BATCH001 is in ABEND, return code 12.",
    facts={"job": "BATCH001", "jobstream": "BILLING", "status": "ABEND", "return_code": 12},
    codes=("RC=12",),
)
LOG = Evidence(
    source="log_cache",
    kind="log",
    subject="BATCH001",
    text="CEE3207S data exception (S0C7) in record 17 of CLIENTES",
    facts={"job": "BATCH001", "level": "error", "count": 1},
    codes=("S0C7",),
)
RUNBOOK = Evidence(
    source="rag_search",
    kind="runbook",
    subject="S0C7: data exception",
    text="S0C7: data exception\nA field does not hold a valid number.",
    facts={
        "title": "S0C7: data exception",
        "cause": "bad_data",
        "exact": True,
        "rank": 1,
        "steps": ["Find the record"],
    },
    codes=("S0C7",),
)
METRIC = Evidence(
    source="metrics",
    kind="metric",
    subject="node_load1",
    text="node_load1 is as usual",
    facts={"name": "node_load1", "value": 2.5, "before": 2.5, "anomaly": "none"},
)
PIECES = {"tws_status": JOB, "rag_search": RUNBOOK, "log_cache": LOG, "metrics": METRIC}
"""What each of the four has to say about the message."""


class CannedSource:
    """Answers every incident alike.

    Args:
        evidence: what it answers.
        delay_s: how long that takes; infinity = it hangs.
        error: what it raises instead.
        opening: what its opening raises.
    Attributes:
        asked: the incidents that it was asked about.
        is_open: whether it is; it refuses to be asked when it isn't.
    """

    def __init__(
        self,
        name: str,
        evidence: Sequence[Evidence] = (),
        *,
        delay_s: float = 0.0,
        error: Exception | None = None,
        opening: Exception | None = None,
        timeout_s: float = 5.0,
    ) -> None:
        self.name, self.timeout_s = name, timeout_s
        self.asked: list[Incident] = []
        self.is_open = False
        self._evidence, self._delay_s, self._error, self._opening = tuple(evidence), delay_s, error, opening

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Be open, as long as the block."""
        if self._opening is not None:
            raise self._opening
        self.is_open = True
        try:
            yield
        finally:
            self.is_open = False

    async def ask(self, incident: Incident) -> Sequence[Evidence]:
        """What it was told to answer."""
        if not self.is_open:
            raise RuntimeError(f"{self.name} was asked and is not open")
        self.asked.append(incident)
        # Longer than any test's deadline, and not for ever: virtual time calls a wait of a day a deadlock.
        await asyncio.sleep(min(self._delay_s, 3_600))
        if self._error is not None:
            raise self._error
        return self._evidence


def four_sources() -> dict[str, CannedSource]:
    """The four of them, all well."""
    return {name: CannedSource(name, [piece]) for name, piece in PIECES.items()}
