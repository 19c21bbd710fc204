"""The shared state as a pydantic model, as H4 has it."""

from __future__ import annotations

import copy
import functools

from pydantic import BaseModel

from engine_peers.case import Files, make_state


class State(BaseModel):
    """What `case.make_state` makes, with fields."""

    offset: int
    files: Files


@functools.cache
def as_model(size: int) -> State:
    """A state of about `size` bytes as JSON, made once for each size."""
    return State.model_validate(copy.deepcopy(make_state(size)))
