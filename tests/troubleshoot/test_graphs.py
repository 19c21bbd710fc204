"""The document's names: they are there, and they work as the document shows."""

from __future__ import annotations

import operator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

import fanfold.troubleshoot.nodes
from fanfold.config import ConfigError
from fanfold.testing.sources import MESSAGE, PIECES, CannedSource, four_sources
from fanfold.troubleshoot import (
    FallbackParallelGraph,
    ParallelConfig,
    ParallelGraph,
    ParallelState,
    PromptType,
    aggregator_node,
    create_parallel_troubleshoot_graph,
    create_tws_agent_graph,
    parallel_troubleshoot,
    response_generator_node,
)

DOCUMENTED = ("response", "metadata", "parallel_latency_ms", "total_latency_ms", "parallel_results", "aggregated_data")


def test_every_name_can_be_imported() -> None:
    for name in fanfold.troubleshoot.__all__:
        assert getattr(fanfold.troubleshoot, name) is not None
    assert set(fanfold.troubleshoot.__all__) <= set(dir(fanfold.troubleshoot))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = fanfold.troubleshoot.nothing
    assert PromptType.TROUBLESHOOT_ANSWER.value == "troubleshoot_answer"


def test_results_and_errors_are_added_up_by_their_reducers() -> None:
    hints = get_type_hints(ParallelState, include_extras=True)
    assert all(operator.add in get_args(hints[name]) for name in ("parallel_results", "errors"))


async def test_one_call_answers() -> None:
    result = await parallel_troubleshoot(
        message=MESSAGE, job_name="BATCH001", tws_instance_id="TWS-PROD-01", sources=four_sources()
    )
    assert set(DOCUMENTED) <= set(result)
    assert result["metadata"]["speedup_factor"] >= 1
    assert result.get("errors", []) == []
    assert [found["source"] for found in result["parallel_results"]] == list(PIECES)
    assert result["answer"]["incident"]["instance"] == "TWS-PROD-01"


@pytest.mark.parametrize("message", ["everything is red", "what is going on?", "tudo parado"])
async def test_who_calls_a_troubleshooter_has_trouble_whatever_the_words_are(message: str) -> None:
    result = await parallel_troubleshoot(message, sources=four_sources())
    assert (result["intent"], result["sources"]) == ("troubleshoot", list(PIECES))
    assert result["confidence"] <= 1


async def test_graph_takes_a_configuration() -> None:
    config = ParallelConfig(
        node_timeout_seconds=5.0,
        total_timeout_seconds=10.0,
        enable_tws_status=True,
        enable_rag_search=True,
        enable_log_cache=True,
        enable_metrics=False,
        rag_result_limit=5,
        min_sources_required=1,
    )
    graph = await create_parallel_troubleshoot_graph(config, sources=four_sources())
    state = await graph.ainvoke({"message": MESSAGE})
    assert state["sources"] == ["tws_status", "rag_search", "log_cache"]


async def test_fallback_has_the_same_answer_without_langgraph() -> None:
    fallback = FallbackParallelGraph(ParallelConfig(), sources=four_sources())
    graph = ParallelGraph(ParallelConfig(), sources=four_sources())
    assert fallback.graph is None
    ours, theirs = await fallback.ainvoke({"message": MESSAGE}), await graph.ainvoke({"message": MESSAGE})
    assert ours["answer"]["hypotheses"] == theirs["answer"]["hypotheses"]


async def test_graph_can_be_drawn_and_invoked_by_itself() -> None:
    graph = ParallelGraph(ParallelConfig(), sources=four_sources()).graph
    assert {"understand", "ask_source", "aggregator_node", "response_generator_node"} <= set(graph.get_graph().nodes)
    state = await graph.ainvoke({"message": MESSAGE})
    assert state["answer"]["status"] == "cause"


async def test_graph_is_a_part_of_somebody_elses() -> None:
    from langgraph.graph import END, START, StateGraph

    sources = four_sources()
    builder = StateGraph(ParallelState)
    builder.add_node("troubleshoot", ParallelGraph(ParallelConfig(), sources=sources).graph)
    builder.add_edge(START, "troubleshoot")
    builder.add_edge("troubleshoot", END)
    state = await builder.compile().ainvoke({"message": MESSAGE, "errors": ["one from before"]})
    assert state["errors"] == ["one from before"]
    assert [len(source.asked) for source in sources.values()] == [1, 1, 1, 1]
    assert len(state["parallel_results"]) == 4
    assert not any(source.is_open for source in sources.values())


async def test_what_arrives_is_streamed_before_the_final_state() -> None:
    sources = {name: CannedSource(name, [piece], delay_s=0.05 * at) for at, (name, piece) in enumerate(PIECES.items())}
    graph = FallbackParallelGraph(ParallelConfig(), sources=sources)
    states = [state async for state in graph.astream({"message": MESSAGE})]
    *arrived, final = states
    assert [state["parallel_results"][0]["source"] for state in arrived] == list(PIECES)
    assert final["answer"]["status"] == "cause"


async def test_stream_that_is_left_leaves_no_source_open() -> None:
    sources = four_sources() | {"metrics": CannedSource("metrics", delay_s=60.0)}
    stream = FallbackParallelGraph(ParallelConfig(), sources=sources).astream({"message": MESSAGE})
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    assert not any(source.is_open for source in sources.values())


class TestNodes:
    """Nodes outside of any run of ours: the project's files say what there is."""

    @pytest.fixture(autouse=True)
    def _project(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / ".git").mkdir()
        (tmp_path / "fanfold.toml").write_text("[troubleshoot]\nmin_sources_required = 2\nenable_rag_search = false\n")
        monkeypatch.chdir(tmp_path)

    async def test_aggregator_and_response_generator_work_on_a_plain_state(self) -> None:
        state = await ParallelGraph(ParallelConfig(), sources=four_sources()).ainvoke({"message": MESSAGE})
        plain: ParallelState = {"message": MESSAGE, "parallel_results": state["parallel_results"]}
        aggregated = await aggregator_node(plain)
        assert aggregated["metadata"]["sources_available"] == 4
        answered = await response_generator_node({**plain, **aggregated})
        assert answered["answer"]["status"] == "cause"

    async def test_configuration_file_is_the_default(self) -> None:
        state = await ParallelGraph(ParallelConfig(), sources=four_sources()).ainvoke({"message": MESSAGE})
        plain: ParallelState = {"message": MESSAGE, "parallel_results": state["parallel_results"][:1]}
        assert (await response_generator_node(plain))["answer"]["status"] == "abstained"

    async def test_source_that_is_not_configured_says_so_and_stops_no_graph(self) -> None:
        update = await fanfold.troubleshoot.nodes.metrics_node({"message": MESSAGE})
        (result,) = update["parallel_results"]
        assert (result["source"], result["success"], result["data"]) == ("metrics", False, None)
        assert update["errors"] == [result["error"]]
        assert "metrics is not configured: write [troubleshoot.sources.metrics]" in update["errors"][0]

    async def test_documents_nodes_are_wired_by_hand_with_whatever_is_configured(self, tmp_path: Path) -> None:
        from langgraph.graph import START, StateGraph

        (tmp_path / "batch.log").write_text("2024-12-11T03:12:00Z ERROR job=BATCH001 ABEND=S0C7\n")
        (tmp_path / "fanfold.toml").write_text(
            '[troubleshoot]\nenable_rag_search = false\n[troubleshoot.sources.log_cache]\npaths = ["batch.log"]\n'
        )
        builder = StateGraph(ParallelState)
        for name in ("tws_status", "rag_search", "log_cache", "metrics"):
            builder.add_node(name, getattr(fanfold.troubleshoot, f"{name}_node"))
            builder.add_edge(START, name)
        builder.add_node("aggregator", aggregator_node)
        builder.add_node("response_generator", response_generator_node)
        builder.add_edge(["tws_status", "rag_search", "log_cache", "metrics"], "aggregator")
        builder.add_edge("aggregator", "response_generator")
        state = await builder.compile().ainvoke({"message": MESSAGE, "at": "2024-12-11T03:13:00+00:00"})
        assert sorted(state["metadata"]["failed_sources"]) == ["metrics", "rag_search", "tws_status"]
        assert len(state["errors"]) == 3
        assert state["answer"]["status"] == "cause"

    async def test_graphs_read_the_file(self) -> None:
        graph = await create_parallel_troubleshoot_graph()
        assert graph.config.min_sources_required == 2

    async def test_wrong_file_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "fanfold.toml").write_text("[troubleshoot]\nmin_source_required = 2\n")
        with pytest.raises(ConfigError) as caught:
            await create_parallel_troubleshoot_graph()
        assert caught.value.hint == "did you mean min_sources_required?"

    async def test_results_that_nobody_can_read_are_returned_raw(self) -> None:
        junk: Any = {"message": MESSAGE, "parallel_results": [{"source": "mine"}]}
        aggregated = await aggregator_node(junk)
        assert "aggregation_error" in aggregated["metadata"]
        answered = await response_generator_node({**junk, **aggregated})
        assert '"source": "mine"' in answered["response"]


class TestAgent:
    async def test_failure_is_looked_into(self) -> None:
        graph = await create_tws_agent_graph(ParallelConfig(), sources=four_sources())
        result = await graph.invoke({"message": "Troubleshoot job failure S0C7", "intent": "troubleshoot"})
        assert result["answer"]["status"] == "cause"
        assert result["response"]
        assert graph.graph is not None
        assert "troubleshoot_handler_node" in graph.graph.get_graph().nodes

    async def test_what_the_router_read_is_kept(self) -> None:
        graph = await create_tws_agent_graph(ParallelConfig(), sources=four_sources())
        result = await graph.invoke({"message": MESSAGE})
        assert result["intent"] == "troubleshoot"
        assert 0 < result["confidence"] <= 1
        assert result["entities"]["jobs"] == ["BATCH001"]
        assert result["entities"]["codes"] == ["S0C7"]

    async def test_anything_else_is_told_what_it_can_do(self) -> None:
        sources = four_sources()
        graph = await create_tws_agent_graph(ParallelConfig(), sources=sources)
        result = await graph.invoke({"message": "good morning"})
        assert result["response"].startswith("I can find out why a job failed")
        assert not any(source.asked for source in sources.values())

    async def test_without_langgraph_it_answers_alike(self) -> None:
        graph = await create_tws_agent_graph(ParallelConfig(), sources=four_sources())
        with_langgraph = await graph.invoke({"message": MESSAGE})
        graph.graph = None
        without = await graph.invoke({"message": MESSAGE})
        assert without["answer"]["hypotheses"] == with_langgraph["answer"]["hypotheses"]

    async def test_second_message_of_a_thread_has_its_own_results(self) -> None:
        graph = await create_tws_agent_graph(ParallelConfig(), sources=four_sources())
        first = await graph.invoke({"message": MESSAGE})
        before = {name: first[name] for name in ("parallel_results", "answer", "response")}
        second = await graph.invoke({"message": "Job BATCH002 failed", **before})
        assert second["answer"]["incident"]["jobs"] == ["BATCH002"]
        assert len(second["answer"]["sources"]) == 4
