"""The errors of the store that callers distinguish. All errors of the store are `OperatorError`."""

from endpointd.errors import OperatorError


class HookIdTaken(OperatorError):
    """Another endpoint has the hook id."""


class EndpointUnknown(OperatorError):
    """There is no endpoint with this id."""


class EndpointExists(OperatorError):
    """There is an endpoint with this id already."""


class TokenUnknown(OperatorError):
    """There is no token with this id."""


class TokenNameTaken(OperatorError):
    """Another token has the name."""
