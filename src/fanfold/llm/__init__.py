"""The connection to a language model, whoever serves it; Pydantic AI is imported when one is connected."""

from fanfold.llm.errors import AnswerUnusable, ModelError, ModelUnusable, Refused, Unpaid
from fanfold.llm.model import Asked, Model
from fanfold.llm.question import InWords
from fanfold.llm.settings import ModelSettings
from fanfold.llm.tracing import exported
from fanfold.llm.usage import Spent, Usage, counted

__all__ = [
    "AnswerUnusable",
    "Asked",
    "InWords",
    "Model",
    "ModelError",
    "ModelSettings",
    "ModelUnusable",
    "Refused",
    "Spent",
    "Unpaid",
    "Usage",
    "counted",
    "exported",
]
