"""The base of every error that Fanfold raises on purpose.

Subclasses stand beside what raises them:

    FanfoldError
    ├── engine.DuplicateKeyError        two items of one fan-out share a key
    ├── engine.IsolationError           an item or a state can't be copied
    ├── engine.FrozenError              what all branches share can't be changed
    ├── engine.LimitError               a limit that lets nothing run
    ├── engine.BranchError              why a branch has no value
    │   ├── engine.DeadlineExceeded
    │   ├── engine.BranchCancelled
    │   └── engine.BranchNotStarted
    ├── engine.FanOutError              a fan-out ended early; what had finished is in it
    ├── engine.SchemaError              a state's type, or one of its reducers, can't be read
    ├── engine.UpdateError              a branch returned its state instead of an update
    ├── engine.FoldError                an update can't be folded
    ├── engine.MergeError               outcomes don't make one result
    ├── engine.LawBroken                a reducer breaks a law that it declares
    ├── engine.ContentError             a value has no stable content, or doesn't survive JSON
    ├── engine.CacheError               a cache's file can't be used, or a call can't be cached
    ├── engine.RequestTooLarge          one request needs more than its limiter ever has
    ├── engine.BreakerOpen              not called: the calls before it failed
    ├── engine.TracingUnavailable       OpenTelemetry isn't installed
    ├── engine.JournalError             a journal can't be used, or not in this way
    │   ├── engine.JournalUnusable      it is no journal, damaged, newer or out of reach
    │   ├── engine.JournalInUse         its run is open elsewhere
    │   ├── engine.JournalFenced        its run was taken over
    │   ├── engine.NotDurable           an outcome couldn't be written
    │   └── engine.FailedBefore         the branch had failed, and failures are kept
    ├── nodes.ParallelExecutionError    nodes failed
    │   └── nodes.MergeError            also an engine.MergeError
    ├── nodes.PlanError                 nodes can't be planned
    │   ├── nodes.CyclicPlan
    │   ├── nodes.NoProducer
    │   └── nodes.SeveralProducers
    ├── nodes.DependencyFailed          what a node needs wasn't made
    ├── nodes.TooManySteps              a graph run doesn't come to its end
    ├── nodes.ProviderLimitsError       a provider's limits are unknown or wrong
    ├── nodes.StateTypeError            a stored state is of another type
    ├── nodes.ExtraMissing              an optional package isn't installed
    ├── nodes.NodeIncomplete, UnexpectedOutput, UndeclaredFields, UndeclaredWrite, UnknownField
    ├── runtimes.FlowError              a flow is declared, or given a state, in a way that can't run
    ├── runtimes.NoContext              a flow's function asks for a context that the run wasn't given
    ├── runtimes.RuntimeUnavailable     there is no such runtime, or it isn't installed
    ├── runtimes.langgraph.LangGraphMissing
    ├── runtimes.langgraph.SendError    what was sent to an isolated node can't be joined with the state
    ├── runtimes.langgraph.NotInGraph   a node's wrapper was called outside of a graph
    ├── runtimes.cluster.ClusterError   a cluster can't be used, or not in this way
    │   ├── runtimes.cluster.ClusterUnavailable, InsecureAddress, VersionsDiffer, NoWorkers
    │   ├── runtimes.cluster.FlowNotImportable
    │   ├── runtimes.cluster.WorkerFailed   every worker that had the branch was lost
    │   └── runtimes.cluster.RemoteError    what a branch raised on its worker
    ├── process.ProcessError            a program can't be started
    │   └── process.ProgramNotFound     it isn't installed, or may not be executed
    ├── agents.AgentUnusable            there is no such agent, or it can't work with its settings
    ├── agents.AgentError               an agent ended without an answer
    │   ├── agents.BudgetExhausted      it would have taken more than is left
    │   ├── fix.Escaped                 something outside of its workspace was changed
    │   └── fix.Unplayable              a recorded answer can't be put in place again
    ├── git.GitError                    git itself failed, in its own words
    │   ├── git.RepositoryError         not a repository, bare, no commit yet, ...
    │   ├── git.WorkspaceError          a workspace can't be made, leased or reset
    │   ├── git.LandError               a change can't be put on the result branch
    │   │   ├── git.LandRefused         it conflicts with what has landed
    │   │   └── git.BranchMoved         somebody else moved the branch
    │   ├── git.BundleError             a commit can't be packed for another machine, or unpacked there
    │   └── git.ParcelError             a change that came from another machine isn't what it claims
    ├── config.ConfigError              a setting is unknown or has a wrong value
    ├── llm.ModelError                  a model gave no answer that can be used
    │   ├── llm.AnswerUnusable          its answers weren't of the form that was asked for
    │   └── llm.ModelUnusable           none can be asked with these settings
    ├── troubleshoot.SourceError        a source can't answer
    │   ├── troubleshoot.sources.workload.WorkloadError
    │   └── troubleshoot.sources.metrics.QueryError
    ├── troubleshoot.BundleError        a file holds no evidence that can be answered
    ├── troubleshoot.AuditError         an action can't be put on record, so it isn't done
    ├── fix.LearningError               what earlier runs showed can't be read or written
    └── fix.FixError                    the request can't be carried out as asked
        └── fix.SetupError              a workspace can't be made ready
"""

from __future__ import annotations


class FanfoldError(Exception):
    """What happened, and a hint what to do about it.

    Args:
        message: one sentence that says what happened, naming the input at fault.
        hint: what the user can do about it, imperative; None where nothing helps.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
