"""Decides which settings are in effect after the configuration was read again. Pure."""

from endpointd.settings.settings import Settings

FIXED = (
    "admin_group",
    "admin_listen",
    "builds_at_once",
    "config",
    "database",
    "development",
    "endpoints_file",
    "environments",
    "fork_server",
    "forwarding_headers",
    "listen",
    "listen_group",
    "listen_mode",
    "log_file",
    "log_file_size",
    "log_files_kept",
    "log_format",
    "log_requests",
    "plugins",
    "public_health",
    "public_url",
    "secret_key",
    "state",
    "tls_certificate",
    "tls_key",
    "tls_minimum",
    "trace_parent",
    "trace_url",
    "trusted_proxies",
    "watch",
)
"""Settings that can only be changed by a restart of the daemon."""


def settled(present: Settings, read: Settings) -> tuple[Settings, list[str]]:
    """The settings that are in effect from now on, and the names of settings whose new value needs a restart."""
    fixed = [name for name in FIXED if getattr(read, name) != getattr(present, name)]
    return read.model_copy(update={name: getattr(present, name) for name in fixed}), fixed
