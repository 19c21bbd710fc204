"""Run a function once for equal inputs: results are kept, and equal calls at the same time share one run."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from fanfold.engine.caching.flight import fly
from fanfold.engine.caching.store import CacheError, CacheKey, Store, check_bounds
from fanfold.engine.identity import named
from fanfold.engine.wrapper import Wrapper, refuse_function

P = ParamSpec("P")
T = TypeVar("T")


def cache(
    store: Store,
    *,
    name: str | None = None,
    version: str = "1",
    ttl_s: float | None = None,
    key: Callable[..., object] | None = None,
    returns: Any = None,
) -> Wrapper:
    """Keep what an async function returns, and run it once for equal calls at the same time.

    Calls are equal where the function, its version and the content of its arguments are (see `content_hash`); in
    which form arguments are given, and defaults, make no difference. Results are isolated: what a caller does to
    one, no other caller sees. Errors are not kept. `run_once` says what equal calls at the same time share.

    Args:
        store: where results are kept.
        name: the function's identity, and the label for `store.invalidate`; its module and qualified name by
            default. It must be given where these say too little: for lambdas, partials, bound methods, and
            functions that use variables of the function around them.
        version: to be changed when the function changes what it returns.
        ttl_s: seconds that a result is kept; None = the store's default.
        key: called with the arguments; what it returns counts instead of them. A str becomes part of the label
            too: "name:str".
        returns: type of the result, for a store that writes JSON; the function's annotation by default.
    Raises:
        ValueError, TypeError: here, for a `ttl_s` of 0 or less, or a store that is none.
        CacheError: where a function is wrapped that needs a name; from a call where the store can't be used.
        ContentError: from a call whose arguments have no stable content, or whose result the store can't keep.
        IsolationError: from a call whose result can't be copied.
    """
    refuse_function(store, "@cache(store)")
    if isinstance(store, type):
        raise TypeError(f"{store.__name__} is a class where a store belongs: make one of it, {store.__name__}(...)")
    check_bounds(ttl_s=ttl_s)

    def wrap(function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        label = name or _label(function)
        inputs_of = key or _bound(function)
        of = _returned(function) if returns is None else returns

        @functools.wraps(function)
        async def cached(*args: P.args, **kwargs: P.kwargs) -> T:
            inputs = inputs_of(*args, **kwargs)
            named = f"{label}:{inputs}" if key and isinstance(inputs, str) else label
            at = CacheKey.of(named, version, inputs)
            return await run_once(store, at, lambda: function(*args, **kwargs), ttl_s=ttl_s, of=of)

        return cached

    return wrap


async def run_once(
    store: Store, key: CacheKey, run: Callable[[], Awaitable[T]], *, ttl_s: float | None = None, of: Any = Any
) -> T:
    """The result under a key: from the store, else of `run`, which is called once for all who ask meanwhile.

    Of equal calls on one event loop and one store, the first looks the result up, and runs where there is none;
    the others wait, with their branches' slots given up. Each gets a result of its own. Where the run raises, all
    get that error, with the traceback that it had then. Where the first call is cancelled, the next in line runs
    instead. A call from within the run is a run of its own. After an `invalidate`, nobody joins earlier runs, whose
    results aren't kept.

    Args:
        key: made by `CacheKey.of`.
        run: gives the result.
        ttl_s: seconds to keep it; None = the store's default.
        of: type of the result, for a store that writes JSON.
    Raises:
        As `run` and the store do.
    """
    generation = store.generation

    async def found_or_run() -> T:
        hit = await store.get(key, of=of)
        if hit is not None:
            return typing.cast("T", hit.value)
        value = await run()
        if store.generation == generation:
            await store.put(key, value, ttl_s=ttl_s, of=of)
        return value

    return await fly((id(store), key.digest), generation, found_or_run, joined=store.joined)


def _label(function: Callable[..., object]) -> str:
    """Module and qualified name.

    Raises:
        CacheError: another function, that does something else, may have the same.
    """
    hint = "give name=, and with key= or as arguments all that its result depends on"
    inner = named(function, CacheError, hint=hint)
    return f"{inner.__module__}.{inner.__qualname__}"


def _bound(function: Callable[..., object]) -> Callable[..., object]:
    """Arguments by the names of their parameters, with defaults."""
    signature = inspect.signature(function)

    def inputs(*args: object, **kwargs: object) -> object:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.arguments

    return inputs


def _returned(function: Callable[..., object]) -> Any:
    """The type that its annotation promises; Any where it has none that can be read."""
    try:
        annotated = typing.get_type_hints(inspect.unwrap(function), include_extras=True).get("return", Any)
    except (NameError, TypeError):
        return Any
    if typing.get_origin(annotated) in (Awaitable, Coroutine):
        return typing.get_args(annotated)[-1]
    return annotated
