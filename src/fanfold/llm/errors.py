"""What keeps a model from answering."""

from __future__ import annotations

from fanfold.errors import FanfoldError


class ModelError(FanfoldError):
    """A model gave no answer that can be used."""


class ModelUnusable(ModelError):
    """No model can be asked with these settings: a package or a key is missing, or nobody knows the name."""
