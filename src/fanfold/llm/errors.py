"""What keeps a model from answering."""

from __future__ import annotations

from fanfold.errors import FanfoldError
from fanfold.llm.usage import Usage


class ModelError(FanfoldError):
    """A model gave no answer that can be used.

    Attributes:
        usage: what asking took all the same.
        said: what was asked and answered until then, without secrets.
    """

    usage: Usage = Usage()
    said: str = ""


class ModelUnusable(ModelError):
    """No model can be asked with these settings: a package or a key is missing, or nobody knows the name."""


class AnswerUnusable(ModelError):
    """A model answered as often as it may, and none of it was of the form that was asked for, or of any use."""


class Unpaid(ModelError):
    """A budget doesn't have what the next request may take, so it wasn't sent.

    Attributes:
        why: what the budget said.
    """

    def __init__(self, why: FanfoldError) -> None:
        super().__init__(why.message, hint=why.hint)
        self.why = why


class Refused(Exception):
    """An answer has the form that was asked for, and is of no use.

    Args:
        told: what the model is told of it.
        why: the same for people; None = the same words.
    """

    def __init__(self, told: str, *, why: str | None = None) -> None:
        super().__init__(told)
        self.why = told if why is None else why
