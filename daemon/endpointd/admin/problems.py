"""Converts errors into the API's problem documents, and in the client these into errors again. Pure."""

from dataclasses import asdict
from typing import Any

from endpointd.endpoints.errors import EndpointInvalid
from endpointd.errors import OperatorError, UsageError
from endpointd.gateway.problems import Problem
from endpointd.manifest.values import Fault

_STATUS = {
    "plugin_unknown": 404,
    "endpoint_unknown": 404,
    "token_unknown": 404,
    "token_missing": 401,
    "token_invalid": 401,
    "token_expired": 401,
    "access_limited": 429,
    "archive_too_large": 413,
    "package_too_large": 413,
    "request_too_large": 413,
    "request_stalled": 408,
    "archive_type": 415,
    "request_invalid": 422,
}
_REFUSED = 409
_WRONGLY_ASKED = 400


def problem_of(error: OperatorError, status: int | None = None) -> Problem:
    """The problem to answer with for an error. `status` is the HTTP status; None: as the error's code says. The problem
    of an `EndpointInvalid` also has a list of `faults`."""
    if status is None:
        status = _STATUS.get(error.code, _WRONGLY_ASKED if isinstance(error, UsageError) else _REFUSED)
    faults = {"faults": [asdict(fault) for fault in error.faults]} if isinstance(error, EndpointInvalid) else {}
    return Problem(status, error.code, error.message, extra={"remedy": error.remedy, **faults})


def error_of(document: Any) -> OperatorError | None:  # noqa: ANN401 - whatever JSON holds
    """The error that a problem document describes; None if it is not a problem document."""
    if not isinstance(document, dict):
        return None
    code, detail, remedy = (document.get(key) for key in ("code", "detail", "remedy"))
    if not (isinstance(code, str) and isinstance(detail, str) and isinstance(remedy, str)):
        return None
    faults = _faults(document.get("faults"))
    if code == "endpoint_invalid" and faults:
        return EndpointInvalid(faults)
    kind = UsageError if document.get("status") in (_WRONGLY_ASKED, _STATUS["request_invalid"]) else OperatorError
    return kind(code, detail, remedy)


def _faults(found: Any) -> list[Fault]:  # noqa: ANN401
    """The faults in a problem document; anything else is ignored."""
    keys = ("key", "code", "message", "remedy")
    written = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    return [Fault(*(str(one.get(key, "")) for key in keys)) for one in written]
