"""What the runtimes are held to: ratios of one run."""

from __future__ import annotations

from collections.abc import Iterator

from engine_peers.floors import Floor
from engine_peers.results import Results
from runtime_peers.plan import PEERS, overhead

N = 1_000


def floors(results: Results) -> list[Floor]:
    """All of them."""
    return [*_overhead(results), *_kills(results)]


def _overhead(results: Results) -> Iterator[Floor]:
    case = overhead(N)
    yield Floor(
        "LangGraph runtime / plain LangGraph, N = 1,000",
        results.ratio(("langgraph", case), ("plain", case)),
        "at most",
        1.3,
    )
    yield Floor(
        "LangGraph runtime, journal / plain LangGraph, AsyncSqliteSaver, N = 1,000",
        results.ratio(("langgraph-journal", case), ("plain-saver", case)),
        "under",
        1.0,
    )


def _kills(results: Results) -> Iterator[Floor]:
    for case in results.cases("kills"):
        for peer, measured in results.samples:
            if measured == case and not peer.startswith("plain"):
                again = results.most(peer, case, "known_again")
                yield Floor(f"{PEERS[peer].label.replace('*', '')}: known outcomes run again", again, "exactly", 0, "")
