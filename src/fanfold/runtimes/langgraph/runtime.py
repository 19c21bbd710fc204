"""Run a flow as a LangGraph graph."""

from __future__ import annotations

from typing import Final, TypeVar

from fanfold.engine.schema import values_of
from fanfold.runtimes.flow import Flow
from fanfold.runtimes.langgraph.compile import to_langgraph
from fanfold.runtimes.langgraph.graph import FlowGraph
from fanfold.runtimes.langgraph.invocation import INVOCATION, Invocation
from fanfold.runtimes.run import Options, Result

S = TypeVar("S")

GRAPH: Final = "_langgraph"
"""Where a flow has its graph: it lives as long as the flow does, and no longer."""


class LangGraph:
    """Runs flows as LangGraph graphs, in this process.

    Without a checkpointer, for a run that ends with the call: `flow.to_langgraph(checkpointer=...)` makes graphs with
    threads to go on with.
    """

    @property
    def name(self) -> str:
        """What reports call it."""
        return "langgraph"

    async def run(self, flow: Flow[S], state: S, options: Options) -> Result[S]:
        """Run the flow to its end."""
        graph: FlowGraph | None = vars(flow).get(GRAPH)
        if graph is None:
            graph = vars(flow)[GRAPH] = to_langgraph(flow, checkpointer=False)
        invocation = Invocation(graph.plan, options=options, state=state, runtime=self)
        await graph.ainvoke(values_of(state), {"configurable": {INVOCATION: invocation}})
        return Result(invocation.state, invocation.outcomes, self.name)
