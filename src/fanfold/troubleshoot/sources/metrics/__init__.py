"""The source `metrics`: what Prometheus saw around the failure, against what is usual."""

from fanfold.troubleshoot.sources.metrics.query import Query
from fanfold.troubleshoot.sources.metrics.settings import MetricsSettings
from fanfold.troubleshoot.sources.metrics.source import Metrics

__all__ = ["Metrics", "MetricsSettings", "Query"]
