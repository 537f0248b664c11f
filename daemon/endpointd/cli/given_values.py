"""Reads the values that a command gets for a plugin's settings: from options, files and standard input."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from endpointd.cli.output import report_warning
from endpointd.cli.typed_values import Assignments, read_assignments, shown_secrets
from endpointd.endpoints.resolving import Unavailable, text_of, text_of_file
from endpointd.endpoints.values import LARGEST
from endpointd.endpoints.views import SettingView
from endpointd.errors import UsageError


def values_of(given: Assignments, declared: Sequence[SettingView], *, is_whole: bool) -> dict[str, Any]:
    """By the settings' names; what is to be removed is None. `is_whole` tells that there will be no values but these.
    Warns of secrets that everybody can read.

    UsageError: one is named twice, or cannot be read. EndpointInvalid: all that is wrong, where one is of no use.
    """
    for name in shown_secrets(given, declared):
        report_warning(
            f"{name} is a secret, and everybody on this machine can read a command line; "
            f"give it with --set-file {name}=FILE, or - for standard input"
        )
    return read_assignments(given, declared, _read_file, is_whole=is_whole)


def _read_file(name: str) -> str:
    """The text of a file. Raises `UsageError` if it cannot be read."""
    try:
        if name == "-":
            return text_of(sys.stdin.buffer.read(LARGEST + 1), "what standard input gives")
        return text_of_file(Path.cwd(), name, waits=True)
    except Unavailable as error:
        code, message, remedy = error.finding
        raise UsageError(code, message, remedy) from None
