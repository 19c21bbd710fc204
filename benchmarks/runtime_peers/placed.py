"""The cluster runtime's way through a run, with simulated workers at the end of its connections."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeVar
from unittest import mock

from fanfold.runtimes import Flow, Options, Result
from fanfold.runtimes.cluster import board as boards
from fanfold.runtimes.cluster.address import security_of
from fanfold.runtimes.native import carry_out
from runtime_peers.fleet import Fleet, Scenario
from runtime_peers.stations import Stations

S = TypeVar("S")
TERMS = boards.Terms(
    security=security_of(None), is_encrypted=False, capacity=1, is_bounded=True, patience_s=60.0, max_losses=1_000
)


class OnStations:
    """Runs flows on a board whose workers are simulated."""

    def __init__(self, scenario: Scenario, fleet: Fleet, spend: Callable[[float], None]) -> None:
        self._scenario = scenario
        self._fleet = fleet
        self._spend = spend

    @property
    def name(self) -> str:
        """What reports call it."""
        return "simulated cluster"

    async def run(self, flow: Flow[S], state: S, options: Options) -> Result[S]:
        """Run the flow to its end."""
        scenario = self._scenario
        spend = functools.partial(self._spend, scenario.placement_s)
        stations = Stations(self._fleet, scenario.workers, back_s=scenario.back_s, spend=spend)
        with (
            mock.patch.object(boards, "connected", stations.connected),
            mock.patch.object(boards, "Scheduler", return_value=stations),
        ):
            async with boards.Board(flow, options, TERMS).at(stations.address) as board:
                return await carry_out(self, board.flow, state, board.options, board.hops)
