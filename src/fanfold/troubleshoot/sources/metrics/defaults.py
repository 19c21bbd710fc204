"""Queries that need no setting: what Workload Automation and the usual exporters say, by the names that they give."""

from __future__ import annotations

from typing import Literal, TypeAlias

from fanfold.troubleshoot.sources.metrics.query import Query

Group: TypeAlias = Literal["workload", "machine", "services", "jvm", "database"]
GROUPS: tuple[Group, ...] = ("workload", "machine", "services", "jvm", "database")

_RATE = "[5m]"
_NO_FILES = 'fstype!~"tmpfs|ramfs|devtmpfs|overlay|squashfs|iso9660|nsfs|fuse.lxcfs"'
_NO_COUNTERS = '__name__!~".+_(total|bucket|sum|created|info)"'


def _names(*names: str, also: str = "") -> str:
    """Several metrics in one query; what must not be written twice is: a name matches as a whole."""
    return f'{{__name__=~"{"|".join(names)}"{f",{also}" if also else ""}}}'


def _rates(*names: str, unit: str = "", also: str = "") -> dict[str, Query]:
    """One query for each counter: a rate loses its name, so counters can't share a query."""
    matchers = f"{{{also}}}" if also else ""
    return {name: Query(promql=f"rate({name}{matchers}{_RATE})", unit=unit or "/s") for name in names}


DEFAULTS: dict[Group, dict[str, Query]] = {
    "workload": {
        "workload_automation": Query(
            promql=f'{{__name__=~"application_wa_.+",{_NO_COUNTERS},jobstatus!~"(?i)succ.*"}}',
            wrong_below={"connected_boolean": 1},
            wrong_above={"highrisk_boolean": 0},
        ),
    },
    "machine": {
        "up": Query(promql="up", wrong_below={"": 1}),
        "machine": Query(
            promql=_names(
                *("node_load1", "node_load5", "node_load15", "node_procs_blocked", "node_procs_running"),
                *("node_memory_MemAvailable_bytes", "node_memory_SwapFree_bytes", "node_filefd_allocated"),
                *("node_nf_conntrack_entries", "node_timex_offset_seconds", "node_sockstat_TCP_tw"),
            ),
        ),
        "disks": Query(
            promql=_names(
                *("node_filesystem_avail_bytes", "node_filesystem_files_free", "node_filesystem_readonly"),
                *("node_filesystem_device_error",),
                also=_NO_FILES,
            ),
            wrong_above={"readonly": 0, "device_error": 0},
        ),
        "filesystem_avail_ratio": Query(
            promql=f"node_filesystem_avail_bytes{{{_NO_FILES}}} / node_filesystem_size_bytes{{{_NO_FILES}}}",
            wrong_below={"": 0.05},
        ),
        "memory_available_ratio": Query(
            promql="node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes", wrong_below={"": 0.05}
        ),
        "cpu_busy_ratio": Query(
            promql=f'1 - avg by (instance) (rate(node_cpu_seconds_total{{mode="idle"}}{_RATE}))',
            wrong_above={"": 0.95},
        ),
        **_rates("node_disk_io_time_seconds_total", unit="s/s"),
        **_rates("node_network_receive_errs_total", "node_network_transmit_errs_total", "node_vmstat_oom_kill"),
    },
    "services": {
        "probes": Query(
            promql=_names("probe_success", "probe_duration_seconds", "probe_http_status_code"),
            wrong_below={"probe_success": 1},
        ),
        "certificate_seconds_left": Query(
            promql="probe_ssl_earliest_cert_expiry - time()", unit="s", wrong_below={"": 0}, follows_time=True
        ),
        "containers": Query(
            promql=_names(
                *("container_memory_working_set_bytes", "kube_deployment_status_replicas_available"),
                *("kube_pod_status_ready", "kube_pod_container_status_ready", "kube_node_status_condition"),
                *("kube_resourcequota", "kube_pod_container_status_waiting_reason"),
                *("kube_pod_container_status_last_terminated_reason",),
            ),
        ),
        **_rates("kube_pod_container_status_restarts_total", "container_cpu_cfs_throttled_seconds_total"),
        "http_server_errors": Query(promql=f'rate(http_requests_total{{code=~"5.."}}{_RATE})', unit="/s"),
    },
    "jvm": {
        "jvm": Query(
            promql=_names(
                *("jvm_memory_used_bytes", "jvm_memory_bytes_used", "jvm_threads_current", "jvm_threads_live_threads"),
                *("jvm_threads_deadlocked", "base_memory_usedHeap_bytes", "memory_usedHeap_bytes"),
                *("base_thread_count", "thread_count", "vendor_connectionpool_.+", "connectionpool_.+"),
                *("vendor_threadpool_.+", "threadpool_.+", "hikaricp_connections_.+"),
                also=_NO_COUNTERS,
            ),
            wrong_above={"deadlocked": 0},
        ),
        **_rates("jvm_gc_collection_seconds_sum", "jvm_gc_pause_seconds_sum", "base_gc_time_total_seconds", unit="s/s"),
    },
    "database": {
        "database": Query(
            promql=_names(
                *("pg_up", "pg_stat_activity_count", "pg_locks_count", "pg_replication_lag(_seconds)?"),
                *("oracledb_up", "oracledb_sessions_value", "oracledb_resource_current_utilization"),
                *("oracledb_tablespace_(free|bytes|used_percent)", "mysql_up", "mysql_global_status_threads_.+"),
                *("db2_up", "db2_.*(lock|connection|application).*", "mssql_up", "mssql_connections"),
                also=_NO_COUNTERS,
            ),
            wrong_below={"_up": 1},
        ),
        **_rates("pg_stat_database_deadlocks", "mysql_global_status_aborted_connects", "mssql_deadlocks"),
    },
}
