"""DSPy modules, Pydantic AI agents and plain functions as nodes; models are scripted, nothing reaches a network."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import dspy  # type: ignore[import-untyped]
import pytest
from dspy.utils import DummyLM  # type: ignore[import-untyped]
from pydantic import BaseModel
from pydantic_ai import Agent, models
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, UserPromptPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.test import TestModel

from fanfold.engine.caching import MemoryStore
from fanfold.nodes import (
    AbstractBaseNode,
    BaseNode,
    CachedParallelExecutor,
    End,
    NodeCache,
    NodeIncomplete,
    NodeSignature,
    NoProducer,
    ParallelExecutor,
    RunContext,
    UnexpectedOutput,
    UnknownField,
    from_dspy,
    from_function,
    from_pydantic_ai,
    plan,
)


@pytest.fixture(autouse=True)
def no_model_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "ALLOW_MODEL_REQUESTS", False)


class State(BaseModel):
    question: str = "why?"
    context: str = ""
    answer: str = ""
    score: float = 0.0
    tags: list[str] = []


class Answer(dspy.Signature):  # type: ignore[misc]
    """Answer the question."""

    question: str = dspy.InputField()
    answer: str = dspy.OutputField()


@pytest.fixture
def says_because() -> Iterator[None]:
    with dspy.context(lm=DummyLM([{"reasoning": "thinking", "answer": "because"}] * 9)):
        yield


# Plain functions


async def test_a_function_reads_its_parameters_and_writes_one_field() -> None:
    async def shout(question: str) -> str:
        return question.upper()

    node = from_function(shout, writes="answer")
    ctx = RunContext(State())
    assert isinstance(node, BaseNode)
    assert await node.run(ctx) == End()
    assert ctx.state.answer == "WHY?"
    assert ctx.provenance == [
        {"node": "shout", "signature": "question -> answer", "execution_id": ctx.execution_id},
    ]


async def test_a_function_writes_several_fields_from_a_mapping() -> None:
    async def judge(question: str, *, context: str) -> dict[str, object]:
        return {"answer": question + context, "score": 0.5}

    ctx = RunContext({"question": "a", "context": "b"})
    await from_function(judge, writes=("answer", "score")).run(ctx)
    assert ctx.state == {"question": "a", "context": "b", "answer": "ab", "score": 0.5}


async def test_a_function_that_returns_other_fields_is_told_so() -> None:
    async def judge(question: str) -> dict[str, object]:
        return {"answer": question, "tags": []}

    with pytest.raises(UnexpectedOutput, match="tags, which it doesn't declare"):
        await from_function(judge, writes=("answer",)).run(RunContext(State()))
    with pytest.raises(UnexpectedOutput, match="writes 'score'"):
        await from_function(judge, writes=("answer", "tags", "score")).run(RunContext(State()))
    with pytest.raises(UnexpectedOutput, match="answer, tags, which it doesn't declare"):
        await from_function(judge).run(RunContext(State()))


async def test_a_function_that_reads_or_writes_an_unknown_field_is_told_so() -> None:
    async def ask(qestion: str) -> str:
        return qestion

    with pytest.raises(UnknownField, match="no field 'qestion'") as caught:
        await from_function(ask, writes="answer").run(RunContext(State()))
    assert "question, context" in str(caught.value.hint)

    async def answer(question: str) -> str:
        return question

    with pytest.raises(UnknownField, match="no field 'anser'"):
        await from_function(answer, writes="anser").run(RunContext(State()))


@pytest.mark.parametrize("given", [{"question": "a"}, {"question": "a", "style": "loud"}])
async def test_a_parameter_with_a_default_keeps_it_where_the_state_lacks_the_field(given: dict[str, Any]) -> None:
    async def shout(question: str, style: str = "quiet") -> str:
        return f"{question}, {style}"

    node, said = from_function(shout, writes="answer"), f"a, {given.get('style', 'quiet')}"
    (result,) = await ParallelExecutor[Any]().execute_parallel([node], RunContext(dict(given)))
    assert result.context.state["answer"] == said
    planned = plan([node])
    assert planned.inputs == ("question",)
    assert (await planned.run(RunContext(dict(given)))).context.state["answer"] == said
    cached: CachedParallelExecutor[Any] = CachedParallelExecutor(cache=NodeCache(MemoryStore(), by="declared"))
    assert (await cached.execute_with_cache(node, RunContext(dict(given)))).context.state["answer"] == said


async def test_a_parameter_with_a_default_waits_for_the_node_that_writes_it() -> None:
    async def choose(question: str) -> str:
        return f"as {question}"

    async def shout(question: str, style: str = "quiet") -> str:
        return f"{question}, {style}"

    planned = plan([from_function(shout, writes="answer"), from_function(choose, writes="style")])
    assert (await planned.run(RunContext({"question": "a"}))).context.state["answer"] == "a, as a"


async def test_a_field_that_is_asked_for_by_name_must_be_there() -> None:
    async def shout(question: str, style: str = "quiet") -> str:
        return question + style

    node = from_function(shout, reads=("question", "style"), writes="answer")
    with pytest.raises(NoProducer, match="'style'"):
        plan([node], given=["question"])
    with pytest.raises(UnknownField, match="'style'"):
        await node.run(RunContext({"question": "a"}))


async def test_a_states_method_is_no_field_and_its_property_is() -> None:
    class WithProperty(State):
        @property
        def shouted(self) -> str:
            return self.question.upper()

    async def ask(shouted: str = "", copy: bool = False) -> str:
        return f"{shouted} {copy}"

    ctx = RunContext(WithProperty())
    await from_function(ask, writes="answer").run(ctx)
    assert ctx.state.answer == "WHY? False"


def test_what_can_never_be_called_is_refused_at_once() -> None:
    def blocking(question: str) -> str:
        return question

    async def ask(question: str) -> str:
        return question

    with pytest.raises(NodeIncomplete, match="blocking is no async function"):
        from_function(blocking)  # type: ignore[arg-type]
    with pytest.raises(NodeIncomplete, match="ask can't be called with the fields context"):
        from_function(ask, reads="context", writes="answer")


async def test_a_function_says_where_its_path_goes_on() -> None:
    async def ask(question: str) -> str:
        return question

    last = from_function(ask, writes="answer", name="last")
    ctx = RunContext(State())
    assert await from_function(ask, writes="answer", next_node=last).run(ctx) is last
    assert await from_function(ask, writes="answer", next_node=[last, last]).run(ctx) == [last, last]
    chosen = from_function(ask, writes="answer", next_node=lambda state: last if state.answer else End())
    assert await chosen.run(ctx) is last

    async def later(state: State) -> BaseNode[State]:
        await asyncio.sleep(0)
        return last if state.answer else node

    node = from_function(ask, writes="answer", next_node=later)
    assert await node.run(ctx) is last


async def test_a_base_class_without_work_says_what_is_missing() -> None:
    class Empty(AbstractBaseNode[State]):
        signature = NodeSignature(("question",), ("answer",))

    with pytest.raises(NodeIncomplete, match="Empty has no DSPy signature"):
        await Empty().run(RunContext(State()))


async def test_a_derived_node_does_its_own_work_and_goes_on() -> None:
    class Second(AbstractBaseNode[State]): ...

    class First(AbstractBaseNode[State]):
        signature = "question -> answer, score"

        async def _execute_signature(self, inputs: dict[str, Any]) -> Any:
            return {"answer": inputs["question"] * 2, "score": 1.0}

        async def _determine_next_node(self, state: State) -> BaseNode[State] | End:
            return Second() if state.score else End()

    ctx = RunContext(State())
    assert type(await First().run(ctx)) is Second
    assert (ctx.state.answer, ctx.state.score) == ("why?why?", 1.0)
    assert ctx.provenance[0]["node"] == "First"


# DSPy


@pytest.mark.usefixtures("says_because")
async def test_a_dspy_predictor_is_a_node() -> None:
    ctx = RunContext(State())
    node = from_dspy(dspy.Predict(Answer), name="ask")
    assert node.signature == NodeSignature(("question",), ("answer",))
    await node.run(ctx)
    assert ctx.state.answer == "because"
    assert ctx.provenance[0]["node"] == "ask"


@pytest.mark.usefixtures("says_because")
async def test_a_modules_own_reasoning_needs_no_field_unless_asked_for() -> None:
    node = from_dspy(dspy.ChainOfThought(Answer))
    assert node.signature.writes == ("answer",)
    state: dict[str, object] = {"question": "why?"}
    await from_dspy(dspy.ChainOfThought(Answer), writes=("reasoning", "answer")).run(RunContext(state))
    assert state == {"question": "why?", "reasoning": "thinking", "answer": "because"}


@pytest.mark.usefixtures("says_because")
@pytest.mark.parametrize("signature", [Answer, "question -> answer"])
async def test_a_dspy_signature_is_predicted(signature: Any) -> None:
    ctx = RunContext(State())
    await from_dspy(signature).run(ctx)
    assert ctx.state.answer == "because"


class Twice(dspy.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = dspy.Predict(Answer), dspy.Predict(Answer)
        self.thread = 0

    def forward(self, question: str) -> dspy.Prediction:
        self.thread = threading.get_ident()
        self.first(question=question)
        return self.second(question=question)


class Styled(dspy.Module):  # type: ignore[misc]
    """A module whose second input has a default."""

    async def aforward(self, question: str, style: str = "quiet") -> dspy.Prediction:
        return dspy.Prediction(answer=f"{question}, {style}")

    forward = aforward


async def test_a_modules_parameter_with_a_default_may_be_lacking() -> None:
    ctx: RunContext[dict[str, Any]] = RunContext({"question": "a"})
    await from_dspy(Styled(), writes="answer").run(ctx)
    assert ctx.state["answer"] == "a, quiet"


@pytest.mark.usefixtures("says_because")
async def test_a_module_of_ones_own_runs_in_a_thread_and_declares_what_it_writes() -> None:
    with pytest.raises(NodeIncomplete, match="what Twice writes can't be told"):
        from_dspy(Twice())
    ctx = RunContext(State())
    module = Twice()
    node = from_dspy(module, writes="answer")
    assert node.signature == NodeSignature(("question",), ("answer",))
    await node.run(ctx)
    assert ctx.state.answer == "because"
    assert module.thread not in (0, threading.get_ident())


@pytest.mark.usefixtures("says_because")
async def test_a_derived_node_predicts_its_dspy_signature() -> None:
    class Ask(AbstractBaseNode[State]):
        signature = Answer

    class Think(AbstractBaseNode[State]):
        signature = Answer
        module_type = dspy.ChainOfThought

    for node in (Ask(), Think()):
        ctx = RunContext(State())
        await node.run(ctx)
        assert ctx.state.answer == "because"
        assert ctx.provenance[0]["signature"] == "Answer"


@pytest.mark.usefixtures("says_because")
async def test_a_plan_reads_dspy_signatures_and_nodes_run_together_with_the_callers_model() -> None:
    class Judge(AbstractBaseNode[State]):
        signature = dspy.Signature("answer -> tags: list[str]")

        async def _execute_signature(self, inputs: dict[str, Any]) -> Any:
            return dspy.Prediction(tags=[inputs["answer"]])

    ask = from_dspy(Answer)
    done = await plan([Judge(), ask]).run(RunContext(State()))
    assert done.context.state == State(answer="because", tags=["because"])
    results = await ParallelExecutor[State](2).execute_parallel([ask] * 5, RunContext(State()))
    assert [result.context.state.answer for result in results] == ["because"] * 5


# Pydantic AI


async def test_an_agent_is_a_node() -> None:
    node = from_pydantic_ai(
        Agent(TestModel(custom_output_text="because"), name="sage"), reads="question", writes="answer"
    )
    ctx = RunContext(State())
    await node.run(ctx)
    assert ctx.state.answer == "because"
    assert ctx.provenance[0]["node"] == "sage"


def echo(messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
    request = messages[-1]
    assert isinstance(request, ModelRequest)
    said = [part.content for part in request.parts if isinstance(part, UserPromptPart)]
    return ModelResponse(parts=[TextPart(f"heard {said[0]}")])


@pytest.mark.parametrize(
    "prompt", ["{question} knowing {context}", lambda question, context: f"{question} knowing {context}"]
)
async def test_an_agents_prompt_is_made_of_what_it_reads(prompt: Any) -> None:
    node = from_pydantic_ai(Agent(FunctionModel(echo)), reads=("question", "context"), writes="answer", prompt=prompt)
    ctx = RunContext(State(context="{nothing}"))
    await node.run(ctx)
    assert ctx.state.answer == "heard why? knowing {nothing}"


class Verdict(BaseModel):
    answer: str
    score: float


async def test_an_agents_structured_output_goes_to_several_fields_or_to_one() -> None:
    model = TestModel(custom_output_args={"answer": "yes", "score": 0.9})
    ctx = RunContext(State())
    await from_pydantic_ai(Agent(model, output_type=Verdict), reads="question", writes=("answer", "score")).run(ctx)
    assert (ctx.state.answer, ctx.state.score) == ("yes", 0.9)
    whole: RunContext[dict[str, object]] = RunContext({"question": "?"})
    await from_pydantic_ai(Agent(model, output_type=Verdict), reads="question", writes="verdict").run(whole)
    assert whole.state["verdict"] == Verdict(answer="yes", score=0.9)


async def test_agents_run_together() -> None:
    nodes = [
        from_pydantic_ai(
            Agent(FunctionModel(echo)), reads="question", writes="answer", prompt=f"{number}: {{question}}"
        )
        for number in range(5)
    ]
    results = await ParallelExecutor[State](2).execute_parallel(nodes, RunContext(State()))
    assert [result.context.state.answer for result in results] == [f"heard {number}: why?" for number in range(5)]


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("{nope}", "a place for 'nope'"),
        ("{question.upper} {nope[0]}", "a place for 'nope'"),
        ("{question:{nope}}", "a place for 'nope'"),
        ("{}", "a place for ''"),
        ("{question", "can't be read"),
    ],
)
def test_a_prompt_with_places_for_what_isnt_read_is_refused_at_once(prompt: str, message: str) -> None:
    with pytest.raises(NodeIncomplete, match=message):
        from_pydantic_ai(Agent(TestModel()), reads="question", writes="answer", prompt=prompt)


async def test_a_prompt_may_have_braces_and_formats() -> None:
    prompt = '{{"q": {question!r:>8}, "n": {score:.2f}}}'
    node = from_pydantic_ai(Agent(FunctionModel(echo)), reads=("question", "score"), writes="answer", prompt=prompt)
    ctx = RunContext(State())
    await node.run(ctx)
    assert ctx.state.answer == """heard {"q":   'why?', "n": 0.00}"""


def test_an_agent_that_reads_several_fields_needs_a_prompt() -> None:
    with pytest.raises(NodeIncomplete, match="reads question, context needs a prompt"):
        from_pydantic_ai(Agent(TestModel()), reads=("question", "context"), writes="answer")
