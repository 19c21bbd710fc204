"""A node from a DSPy module or signature; DSPy is imported when one is used."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fanfold.errors import FanfoldError
from fanfold.nodes.function_node import Choice, FunctionNode, parameters
from fanfold.nodes.node import NodeIncomplete, outputs_of

if TYPE_CHECKING:
    import dspy  # type: ignore[import-untyped]

REASONING = "reasoning"


class ExtraMissing(FanfoldError):
    """A node needs a package that isn't installed."""


def is_dspy_signature(signature: object) -> bool:
    """Whether this is a subclass of `dspy.Signature`; what nobody imported can't be one."""
    dspy = sys.modules.get("dspy")
    return dspy is not None and isinstance(signature, type) and issubclass(signature, dspy.Signature)


async def ask(signature: Any, module_type: Callable[[Any], Any] | None, inputs: Mapping[str, Any]) -> Any:
    """One prediction for a signature, through `dspy.Predict` or the module that is given."""
    module = (module_type or _dspy().Predict)(signature)
    return await _predict(module, inputs)


def from_dspy(
    module: dspy.Module | type[dspy.Signature] | str,
    *,
    reads: str | Sequence[str] | None = None,
    writes: str | Sequence[str] | None = None,
    name: str | None = None,
    next_node: Choice[Any] | None = None,
    priority: float = 0,
) -> FunctionNode[Any]:
    """Make a node of a DSPy module.

    Args:
        module: a module, or a signature, which `dspy.Predict` then runs. Its model is the one that DSPy is configured
            with where the node runs.
        reads: the state's fields that are its inputs; None = the input fields of its signature, or the parameters
            of its `forward`, of which those with a default may be lacking.
        writes: the state's fields that its outputs go to; None = the output fields of its signature, without the
            reasoning that a module adds on its own.
        name: None = the class of the module, or the signature's name where a signature was given.
        next_node: where the path goes on: a node, nodes, or a function of the state; None = nowhere.
        priority: a higher one gets a slot first.
    Raises:
        NodeIncomplete: what it reads or writes can't be told.
        ExtraMissing: DSPy isn't installed.
    """
    dspy = _dspy()
    called = name or (type(module).__name__ if isinstance(module, dspy.Module) else getattr(module, "__name__", None))
    runs = module if isinstance(module, dspy.Module) else dspy.Predict(module)
    found = dict.fromkeys(_named(reads), False) or _inputs(runs)
    written = _named(writes) or _outputs(runs)

    async def predict(**inputs: Any) -> dict[str, Any]:
        return outputs_of(node, await _predict(runs, inputs), written)

    node: FunctionNode[Any] = FunctionNode(
        predict, reads=tuple(found), writes=written, name=called or "Predict", next_node=next_node, priority=priority,
        optional=[one for one, has_default in found.items() if has_default],
    )  # fmt: skip
    return node


def _dspy() -> Any:
    try:
        import dspy  # noqa: PLC0415 an extra, and heavy
    except ModuleNotFoundError as error:
        raise ExtraMissing("this node needs DSPy, which isn't installed", hint="pip install 'fanfold[dspy]'") from error
    return dspy


async def _predict(module: Any, inputs: Mapping[str, Any]) -> Any:
    if hasattr(module, "aforward"):
        return await module.acall(**inputs)
    return await _dspy().asyncify(module)(**inputs)  # in a thread: a module without `aforward` blocks


def _inputs(module: Any) -> dict[str, bool]:
    """What a module takes, and whether it can do without."""
    if signature := _signature(module):
        return dict.fromkeys(signature.input_fields, False)
    return parameters(module.forward) or dict.fromkeys(_undeclared(module, "reads"), False)


def _outputs(module: Any) -> tuple[str, ...]:
    signature = _signature(module)
    if signature is None:
        return _undeclared(module, "writes")
    if isinstance(module, _dspy().ChainOfThought):
        return tuple(field for field in signature.output_fields if field != REASONING)
    return tuple(signature.output_fields)


def _signature(module: Any) -> Any:
    """The signature of a module with one predictor and no `forward` of its own; None where it has several or none."""
    signature = getattr(module, "signature", None)
    if is_dspy_signature(signature):
        return signature
    own = type(module).__module__.partition(".")[0] != "dspy"
    predictors = [] if own else module.predictors()
    return predictors[0].signature if len(predictors) == 1 else None


def _undeclared(module: object, what: str) -> tuple[str, ...]:
    raise NodeIncomplete(
        f"what {type(module).__name__} {what} can't be told from its signature",
        hint=f"give `{what}=` the fields' names",
    )


def _named(names: str | Sequence[str] | None) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names or ())
