"""What a run can be told, complete and checked."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

SOURCES = ("tws_status", "rag_search", "log_cache", "metrics")
"""The built-in sources that are asked unless they are switched off."""


class ParallelConfig(BaseModel):
    """How an incident is looked into.

    Args:
        node_timeout_seconds: for each source; a source's own shorter one counts instead.
        total_timeout_seconds: for all sources together; what has answered by then is used.
        enable_tws_status, enable_rag_search, enable_log_cache, enable_metrics: whether that source is asked.
        rag_result_limit: pieces of knowledge, at most.
        min_sources_required: with fewer sources that answered, the answer is that it can't be said.
        window_seconds: how far back before the failure sources look.
        sources: the settings of each source, by its name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    node_timeout_seconds: float = Field(default=5.0, gt=0, allow_inf_nan=False)
    total_timeout_seconds: float = Field(default=10.0, gt=0, allow_inf_nan=False)
    enable_tws_status: bool = True
    enable_rag_search: bool = True
    enable_log_cache: bool = True
    enable_metrics: bool = True
    rag_result_limit: int = Field(default=5, ge=1)
    min_sources_required: int = Field(default=1, ge=0)
    window_seconds: float = Field(default=3600.0, gt=0, allow_inf_nan=False)
    sources: dict[str, dict[str, Any]] = Field(default_factory=dict)

    def is_enabled(self, source: str) -> bool:
        """Whether a source is to be asked at all; those that aren't built in are, once they are configured."""
        return bool(getattr(self, f"enable_{source}", True))
