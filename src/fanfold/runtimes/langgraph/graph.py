"""The graph that a flow is compiled to: LangGraph's own, only that each run of it has an Invocation."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from langgraph.graph.state import CompiledStateGraph

from fanfold.runtimes.langgraph.channels import BRANCHES
from fanfold.runtimes.langgraph.embedded import added_to_parent
from fanfold.runtimes.langgraph.invocation import Invocation, Plan
from fanfold.runtimes.langgraph.sync import run_to_end, stepwise

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig


class FlowGraph(CompiledStateGraph[Any, Any, Any, Any]):
    """A flow as a LangGraph graph; see `to_langgraph`.

    `invoke` and `stream` work too, though all its nodes are async: they run an event loop of their own.
    """

    @classmethod
    def of(cls, graph: CompiledStateGraph[Any, Any, Any, Any]) -> FlowGraph:
        """The compiled graph as one of these."""
        graph.__class__ = cls
        # What streams show, and a snapshot of the state: all but what is private.
        graph.stream_channels = [name for name in graph.builder.channels if name != BRANCHES]
        return cast("FlowGraph", graph)

    @property
    def plan(self) -> Plan:
        """What it was compiled of."""
        return self.builder.plan  # type: ignore[attr-defined,no-any-return]

    async def astream(self, input: Any, config: Any = None, **kwargs: Any) -> AsyncGenerator[Any, None]:  # noqa: A002
        """Run the graph and stream what it tells, as any graph does."""
        invocation = Invocation.of(self.plan, self.config, config)
        async with (
            invocation.open(),
            aclosing(super().astream(input, invocation.config(self.config, config), **kwargs)) as chunks,  # type: ignore[type-var]
        ):
            async for chunk in chunks:
                yield chunk

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002
        """Run the graph to its end; as a node of another graph, what it adds to the state that they share."""
        answer = await super().ainvoke(input, config, **kwargs)
        return added_to_parent(self.plan.flow, input, answer, config)

    def stream(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Iterator[Any]:  # noqa: A002
        """As `astream`, for code that isn't async."""
        return stepwise(self.astream(input, config, **kwargs))

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002
        """As `ainvoke`, for code that isn't async."""
        return run_to_end(self.ainvoke(input, config, **kwargs))
