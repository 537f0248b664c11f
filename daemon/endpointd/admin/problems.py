"""Errors as the API answers them, and as its client raises them again. Pure."""

from typing import Any

from endpointd.errors import OperatorError, UsageError
from endpointd.gateway.problems import Problem

_STATUS = {"plugin_unknown": 404, "archive_too_large": 413, "archive_type": 415, "request_invalid": 422}
_REFUSED = 409
_WRONGLY_ASKED = 400


def problem_of(error: OperatorError, status: int | None = None) -> Problem:
    """`status` is the HTTP status, where the error does not tell it."""
    if status is None:
        status = _STATUS.get(error.code, _WRONGLY_ASKED if isinstance(error, UsageError) else _REFUSED)
    return Problem(status, error.code, error.message, extra={"remedy": error.remedy})


def error_of(document: Any) -> OperatorError | None:  # noqa: ANN401 - whatever JSON holds
    """The error that a problem document tells of, or None when it is none."""
    if not isinstance(document, dict):
        return None
    code, detail, remedy = (document.get(key) for key in ("code", "detail", "remedy"))
    if not (isinstance(code, str) and isinstance(detail, str) and isinstance(remedy, str)):
        return None
    kind = UsageError if document.get("status") in (_WRONGLY_ASKED, _STATUS["request_invalid"]) else OperatorError
    return kind(code, detail, remedy)
