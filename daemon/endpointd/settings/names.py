"""Names of settings as flags and variables, and the log levels, for modules that do not import the settings. Pure."""

from typing import Literal

ENVIRONMENT_PREFIX = "ENDPOINTD_"

LogLevel = Literal["debug", "info", "warning", "error"]


def variable_of(name: str) -> str:
    """The environment variable of a setting: "clock_queue" → "ENDPOINTD_CLOCK_QUEUE"."""
    return ENVIRONMENT_PREFIX + name.upper()


def flag_of(name: str) -> str:
    """The flag of a setting: "clock_queue" → "--clock-queue"."""
    return "--" + name.replace("_", "-")
