"""The source `log_cache`: recent errors and history of jobs, from Redis and from files; and what fills the Redis."""

from fanfold.troubleshoot.sources.logs.ingest import Ingested, ingest, ingest_lines
from fanfold.troubleshoot.sources.logs.settings import LogSettings, RedisSettings
from fanfold.troubleshoot.sources.logs.source import Logs

__all__ = ["Ingested", "LogSettings", "Logs", "RedisSettings", "ingest", "ingest_lines"]
