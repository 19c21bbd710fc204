"""The connection to a language model, whoever serves it; Pydantic AI is imported when one is connected."""

from fanfold.llm.errors import ModelError, ModelUnusable
from fanfold.llm.model import Asked, Model
from fanfold.llm.settings import ModelSettings
from fanfold.llm.tracing import exported
from fanfold.llm.usage import Spent, Usage, counted

__all__ = ["Asked", "Model", "ModelError", "ModelSettings", "ModelUnusable", "Spent", "Usage", "counted", "exported"]
