"""Parameters of a DB parameter group: the family's defaults, what may be changed to what, and postgresql.conf."""

from __future__ import annotations

import re
from collections.abc import Mapping

from miyabi.localcloud.control.rds.catalogue import variables
from miyabi.localcloud.control.service import ApiError
from miyabi.localcloud.data.postgresql_binaries import Binaries, Setting
from miyabi.model.rds import ApplyMethod
from miyabi.policy.parameter_formula import BrokenFormula, evaluate, is_formula

FORCE_TLS = "rds.force_ssl"
_LOGICAL = "rds.logical_replication"

_DEFAULTS: Mapping[str, str] = {
    "autovacuum_max_workers": "GREATEST({DBInstanceClassMemory/64371566592},3)",
    "autovacuum_work_mem": "GREATEST({DBInstanceClassMemory/32768},65536)",
    "effective_cache_size": "{DBInstanceClassMemory/16384}",
    "idle_in_transaction_session_timeout": "86400000",
    "log_line_prefix": "%t:%r:%u@%d:[%p]:",
    "maintenance_work_mem": "GREATEST({DBInstanceClassMemory*1024/63963136},65536)",
    "max_connections": "LEAST({DBInstanceClassMemory/9531392},5000)",
    "max_worker_processes": "GREATEST({DBInstanceVCPU*2},8)",
    "password_encryption": "scram-sha-256",
    "shared_buffers": "{DBInstanceClassMemory/32768}",
    "ssl_min_protocol_version": "TLSv1.2",
    "timezone": "UTC",
    "track_activity_query_size": "4096",
}
"""RDS's own defaults where they differ from PostgreSQL's and matter on one machine. Source: default.postgres17."""

_OURS = re.compile(
    r"(listen_addresses|port|bonjour.*|unix_socket_.*|data_directory|hba_file|ident_file|config_file|external_pid_file"
    r"|ssl|ssl_(?!min|max|ciphers).*|archive_.*|restore_command|recovery_.*|primary_.*|log_(directory|filename|file_mode|timezone)"
    r"|log_destination|logging_collector|syslog_.*|event_source|huge_pages|huge_page_size|shared_memory_type"
    r"|dynamic_shared_memory_type|fsync|full_page_writes|zero_damaged_pages|ignore_.*|allow_.*|wal_level|debug_.*"
    r"|hot_standby|promote_trigger_file|cluster_name|krb_.*|db_user_namespace|local_preload_libraries|trace_.*"
    r"|dynamic_library_path|jit_provider|data_sync_retry|restart_after_crash|post_auth_delay|pre_auth_delay)"
)
"""Parameters that keep the server running and reachable: RDS's own business, and here Miyabi's."""

_RDS = {
    FORCE_TLS: Setting(FORCE_TLS, "sighup", "BOOLEAN", "", "", "Whether connections without TLS are refused."),
    _LOGICAL: Setting(_LOGICAL, "postmaster", "BOOLEAN", "", "", "Whether wal_level is logical."),
}
_NUMBERS = {"BOOLEAN": "[01]", "INTEGER": r"-?\d+", "REAL": r"-?\d+(\.\d+)?"}
_TYPES = {"BOOLEAN": "boolean", "INTEGER": "integer", "REAL": "float", "ENUM": "string", "STRING": "string"}


def settings(binaries: Binaries) -> dict[str, Setting]:
    """Return every parameter of a family by name."""
    return {**binaries.settings, **_RDS}


def default(binaries: Binaries, name: str) -> str | None:
    """Return RDS's default, or None where it is the engine's own."""
    if name == FORCE_TLS:
        return "1" if int(binaries.major) >= 15 else "0"
    return "0" if name == _LOGICAL else _DEFAULTS.get(name)


def is_modifiable(name: str) -> bool:
    """Say whether a user may change it."""
    return _OURS.fullmatch(name) is None


def is_static(setting: Setting) -> bool:
    """Say whether a change needs a reboot."""
    return setting.context == "postmaster"


def allowed_values(setting: Setting) -> str | None:
    """Return `0,1` or `1-262143`, or None where the engine decides."""
    if setting.kind == "BOOLEAN":
        return "0,1"
    return f"{setting.lowest}-{setting.highest}" if setting.lowest or setting.highest else None


def data_type(setting: Setting) -> str:
    """Return RDS's name of the type."""
    return _TYPES[setting.kind]


def require_valid(binaries: Binaries, name: str, value: str | None, method: ApplyMethod) -> None:
    """Raise what RDS answers to a change that it refuses. value: None for a reset."""
    setting = settings(binaries).get(name)
    if setting is None:
        raise ApiError("InvalidParameterValue", f"Could not find parameter with name: {name}")
    if not is_modifiable(name):
        raise ApiError("InvalidParameterValue", f"The parameter {name} cannot be modified.")
    if is_static(setting) and method is ApplyMethod.IMMEDIATE:
        raise ApiError("InvalidParameterCombination", f"cannot use immediate apply method for static parameter: {name}")
    if value is not None:
        reason = _refusal(binaries, setting, value)
        if reason:
            raise ApiError("InvalidParameterValue", f"Invalid parameter value: {value} for: {name}. {reason}")


def _refusal(binaries: Binaries, setting: Setting, value: str) -> str | None:
    computed = value
    if setting.kind in _NUMBERS and is_formula(value):
        try:
            computed = str(evaluate(value, variables("db.t3.micro", 5432)))
        except BrokenFormula as error:
            return str(error)
    if "\n" in value or "\0" in value or not re.fullmatch(_NUMBERS.get(setting.kind, ".*"), computed):
        return f"allowed values are: {allowed_values(setting)}"
    if setting.name.endswith("_preload_libraries"):
        missing = [name for name in _listed(value) if not binaries.has_library(name)]
        return f"this machine's PostgreSQL {binaries.version} has no {', '.join(missing)}" if missing else None
    return binaries.refusal(setting.name, computed) if setting.name in binaries.settings else None


def _listed(value: str) -> list[str]:
    return [name.strip() for name in value.split(",") if name.strip()]


def configuration(binaries: Binaries, values: Mapping[str, str], instance_class: str, port: int) -> str:
    """Return the lines of postgresql.conf for an instance. values: what differs from the family's defaults."""
    known = variables(instance_class, port)
    lines = []
    wanted = {**{name: value for name, value in _DEFAULTS.items() if name in binaries.settings}, **values}
    if wanted.get(_LOGICAL) == "1":
        lines.append("wal_level = logical")
    for name in sorted(wanted):
        if name in _RDS:
            continue
        value = str(evaluate(wanted[name], known)) if is_formula(wanted[name]) else wanted[name]
        lines.append(f"{name} = '{_escaped(value)}'")
    return "\n".join(lines)


def forces_tls(binaries: Binaries, values: Mapping[str, str]) -> bool:
    """Say whether connections without TLS are refused."""
    return values.get(FORCE_TLS, default(binaries, FORCE_TLS)) == "1"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")
