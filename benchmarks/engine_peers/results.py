"""What came of a run: samples by peer and case, kept as JSON and asked for medians."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from engine_peers.case import Case
from engine_peers.worker import Sample

Key = tuple[str, Case]


@dataclass
class Results:
    """All samples of one run.

    Args:
        samples: in the order of the rounds.
        left_out: why a case wasn't measured.
        imports: seconds that the import of a module took, each time.
        notes: what the run was: machine, versions, seed.
    """

    samples: dict[Key, list[Sample]] = field(default_factory=dict)
    left_out: dict[Key, str] = field(default_factory=dict)
    imports: dict[str, list[float]] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)

    def add(self, peer: str, case: Case, sample: Sample) -> None:
        """Keep a sample."""
        self.samples.setdefault((peer, case), []).append(sample)

    def leave_out(self, peer: str, case: Case, why: str) -> None:
        """Keep why there is none."""
        self.left_out[peer, case] = why

    def cpu_us(self, peer: str, case: Case) -> float | None:
        """Median over the rounds of CPU µs a branch; None where it wasn't measured or was wrong."""
        return self._median(peer, case, lambda sample: _cpu_s(sample, case) * 1e6)

    def ratio(self, over: tuple[str, Case], under: tuple[str, Case]) -> float | None:
        """CPU a branch of one peer's case over that of another's: the median of the rounds' own ratios."""
        return self._ratio(over, under, _cpu_s)

    def wall_ratio(self, over: tuple[str, Case], under: tuple[str, Case]) -> float | None:
        """As `ratio`, of wall time."""
        return self._ratio(over, under, lambda sample, case: sample.wall_s / sample.runs / case.n)

    def _ratio(
        self, over: tuple[str, Case], under: tuple[str, Case], figure: Callable[[Sample, Case], float]
    ) -> float | None:
        overs, unders = self._good(*over), self._good(*under)
        if not overs or not unders:
            return None
        pairs = zip(overs, unders, strict=False)  # rounds that only one of them has are left out
        return statistics.median(figure(one, over[1]) / figure(other, under[1]) for one, other in pairs)

    def wall_us(self, peer: str, case: Case) -> float | None:
        """Median over the rounds of wall µs a branch."""
        return self._median(peer, case, lambda sample: sample.wall_s / sample.runs / case.n * 1e6)

    def least_us(self, peer: str, case: Case) -> float | None:
        """Least CPU µs a branch of all rounds."""
        found = self._good(peer, case)
        return min(_cpu_s(sample, case) * 1e6 for sample in found) if found else None

    def extra(self, peer: str, case: Case, name: str) -> float | None:
        """Median over the rounds of a figure that the runs took themselves."""
        return self._median(peer, case, lambda sample: sample.extra[name])

    def total(self, peer: str, case: Case, name: str) -> float | None:
        """Such a figure of all rounds together."""
        found = self._good(peer, case)
        return sum(sample.extra[name] for sample in found) if found else None

    def most(self, peer: str, case: Case, name: str) -> float | None:
        """The highest such figure of all rounds, those with a wrong result included."""
        found = [sample.extra[name] for sample in self.samples.get((peer, case), []) if name in sample.extra]
        return max(found, default=None)

    def wrong(self) -> list[tuple[str, Case, str]]:
        """Every peer and case with a result that is not as expected, and how."""
        return [
            (peer, case, sample.wrong)
            for (peer, case), samples in self.samples.items()
            for sample in samples
            if sample.wrong
        ]

    def cases(self, section: str) -> list[Case]:
        """The section's cases, each once, the smaller ones first."""
        known = {case for _, case in (*self.samples, *self.left_out) if case.section == section}
        return sorted(known, key=_rank)

    def _median(self, peer: str, case: Case, figure: Callable[[Sample], float]) -> float | None:
        found = self._good(peer, case)
        return statistics.median(map(figure, found)) if found else None

    def _good(self, peer: str, case: Case) -> list[Sample]:
        found = self.samples.get((peer, case), [])
        return [] if any(sample.wrong for sample in found) else found

    def save(self, path: Path) -> None:
        """Write everything as JSON."""
        measured = [
            {"peer": peer, "case": asdict(case), "samples": [asdict(sample) for sample in samples]}
            for (peer, case), samples in self.samples.items()
        ]
        left_out = [{"peer": peer, "case": asdict(case), "why": why} for (peer, case), why in self.left_out.items()]
        content = {"notes": self.notes, "imports": self.imports, "measured": measured, "left_out": left_out}
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> Results:
        """Read what `save` wrote."""
        content = json.loads(path.read_text())
        results = cls(imports=content["imports"], notes=content["notes"])
        for entry in content["measured"]:
            results.samples[entry["peer"], Case(**entry["case"])] = [Sample(**sample) for sample in entry["samples"]]
        for entry in content["left_out"]:
            results.left_out[entry["peer"], Case(**entry["case"])] = entry["why"]
        return results


def _cpu_s(sample: Sample, case: Case) -> float:
    return sample.cpu_s / sample.runs / case.n


def _rank(case: Case) -> tuple[str, str, int, int, bool, int]:
    return case.variant, case.work, case.state_bytes, case.n, case.limit is None, case.limit or 0
