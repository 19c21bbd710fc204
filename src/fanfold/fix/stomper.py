"""`fanfold fix` under the names of Stomper's parallel pattern: a workflow, its configuration, its state."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fanfold.agents import Agent
from fanfold.config import ConfigError, load_settings, project_root
from fanfold.fix.findings.plan import Request
from fanfold.fix.flow import FIX
from fanfold.fix.record import OnEvent, Run
from fanfold.fix.reporting.report import Report
from fanfold.fix.run import carry_out, prepare
from fanfold.fix.state import FixState
from fanfold.runtimes import Flow, Runtime
from fanfold.runtimes.flow import name_of

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

StomperState: TypeAlias = FixState

DEFAULT_PARALLEL = 4
MAX_PARALLEL = 16


class WorkflowConfig(BaseModel):
    """What can be said of a workflow's run.

    Raises:
        ValidationError: a value is out of its bounds, or a name is none of these.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled_tools: tuple[str, ...] = Field(default=("ruff",), description="Checkers to run, by name")
    max_parallel_files: int = Field(
        default=DEFAULT_PARALLEL, ge=1, le=MAX_PARALLEL, strict=True, description="Maximum files to process in parallel"
    )
    parallel_mode: bool = Field(default=False, description="Enable parallel file processing; else one at a time")

    @property
    def files_at_once(self) -> int:
        """How many files are worked on together."""
        return self.max_parallel_files if self.parallel_mode else 1


class StomperWorkflow:
    """Fixes a codebase's errors, several files at once, each in a workspace of its own.

    Fixes land as commits on a new branch, `fanfold/<session_id>`, which starts at HEAD. The user's branch, index and
    files stay as they are; with `apply` the branch is fast-forwarded to the result at the end, if that is safe.

    Args:
        project_root: the repository, or a folder in it to work on.
        max_parallel_files: files worked on together, 1 to 16; 1 = one after another.
        use_sandbox: keep agent processes in a sandbox where there is one. Every file has a workspace of its own either
            way.
        run_tests: test each change before it lands, with the project's suite.
        config: in place of `max_parallel_files`.
        agent: who fixes, None = the one that the project's settings name.
        settings: further settings of `fanfold fix` by name, as options of its command line.
        apply: take the result over at the end.
        runtime: who runs the branches, None = LangGraph where it is installed, else asyncio alone.
    Attributes:
        report: all that there is to tell of the last run, None = there was none.
    Raises:
        ConfigError: a number is out of its bounds, or a setting is unknown.
    """

    def __init__(
        self,
        project_root: Path | str,
        max_parallel_files: int = DEFAULT_PARALLEL,
        use_sandbox: bool = True,
        run_tests: bool = True,
        *,
        config: WorkflowConfig | None = None,
        agent: Agent | None = None,
        settings: Mapping[str, object] | None = None,
        apply: bool = False,
        runtime: Runtime | None = None,
    ) -> None:
        self.project_root = Path(project_root)
        self.config = config or _config({"max_parallel_files": max_parallel_files, "parallel_mode": True})
        self.max_parallel_files = self.config.max_parallel_files
        self.use_sandbox = use_sandbox
        self.run_tests_enabled = run_tests
        self.report: Report | None = None
        self._agent = agent
        self._settings = settings or {}
        self._apply = apply
        self._runtime = runtime
        self._request(self.config)

    @property
    def graph(self) -> CompiledStateGraph[Any, Any, Any, Any]:
        """The workflow as an ordinary LangGraph graph, to be drawn, streamed or invoked in a `session`.

        Raises:
            LangGraphMissing: LangGraph isn't installed.
        """
        return FIX.to_langgraph(limit=self.config.files_at_once, name="stomper")

    async def run(
        self, config: WorkflowConfig | Mapping[str, Any] | None = None, *, on_event: OnEvent | None = None
    ) -> StomperState:
        """Fix what the tools find.

        Args:
            config: for this run; what a mapping leaves out is as the workflow was made.
            on_event: told of each phase and each file, as they come.
        Returns:
            The final state. Where `unchecked` is not empty, that no file has errors may mean that nobody could say.
            A fix counts once it is on the result branch and has held there together with all others.
            A run that is cancelled returns what has landed by then; `report.interrupted` says so.
        Raises:
            FanfoldError: the request can't be carried out; nothing was changed.
        """
        ended = await carry_out(
            self._request(self._with(config)), agent=self._agent, on_event=on_event, runtime=self._runtime
        )
        self.report = ended.report
        return ended.state

    @contextlib.asynccontextmanager
    async def session(self, config: WorkflowConfig | Mapping[str, Any] | None = None) -> AsyncIterator[Run]:
        """What one run of `graph` works with, to be passed as its `context`; closed with the block.

        Raises:
            FanfoldError: the request can't be carried out.
        """
        request = self._request(self._with(config))
        with tempfile.TemporaryDirectory(prefix="fanfold-", ignore_cleanup_errors=True) as scratch:
            run = await prepare(request, "langgraph", Path(scratch), agent=self._agent)
            async with run.opened():
                yield run

    def visualize(self, form: Literal["mermaid"] = "mermaid") -> str:
        """The workflow as a Mermaid flowchart.

        Raises:
            ConfigError: another form was asked for.
        """
        if form != "mermaid":
            raise ConfigError(f"{form!r} is no form of a picture", hint='the one there is is "mermaid"')
        return _drawn(FIX)

    def _with(self, config: WorkflowConfig | Mapping[str, Any] | None) -> WorkflowConfig:
        if isinstance(config, WorkflowConfig):
            return config
        return _config({**self.config.model_dump(), **(config or {})})

    def _request(self, config: WorkflowConfig) -> Request:
        given = {
            "checks": config.enabled_tools,
            "jobs": config.files_at_once,
            "tests": "each" if self.run_tests_enabled else "none",
            "sandbox": "auto" if self.use_sandbox else "none",
        }
        settings = load_settings(project_root(self.project_root.absolute()), {**given, **self._settings})
        return Request(self.project_root, settings, paths=(".",), apply=self._apply)


StomperWorkflowParallel = StomperWorkflow


def _drawn(flow: Flow[Any]) -> str:
    before, after = (list(map(name_of, steps)) for steps in (flow.prepare, flow.finish))
    (branch,) = map(name_of, flow.hops)
    edges = [
        *(f"{one} --> {other}" for one, other in pairwise(["start([start])", *before])),
        f"{before[-1]} -- each file --> {branch}",
        f"{before[-1]} -- no files --> {after[0]}",
        f"{branch} --> {after[0]}",
        *(f"{one} --> {other}" for one, other in pairwise([*after, "stop([end])"])),
    ]
    return "\n    ".join(["flowchart TD", *edges]) + "\n"


def _config(values: Mapping[str, Any]) -> WorkflowConfig:
    try:
        return WorkflowConfig(**values)
    except ValidationError as error:
        raise _refused(error, values) from None


def _refused(error: ValidationError, values: Mapping[str, Any]) -> ConfigError:
    """The first complaint, in words of a user."""
    name = str(error.errors(include_url=False)[0]["loc"][0])
    known = ", ".join(WorkflowConfig.model_fields)
    if name not in WorkflowConfig.model_fields:
        return ConfigError(f"{name!r} is no setting of a workflow", hint=f"there are {known}")
    expected = {
        "enabled_tools": "a list of names of checkers",
        "max_parallel_files": f"a whole number from 1 to {MAX_PARALLEL}",
        "parallel_mode": "true or false",
    }
    return ConfigError(f"{name} is {values[name]!r}, but must be {expected[name]}", hint=f"correct {name}")
