"""Why an endpoint cannot be as somebody wants it. Pure.

No message has a value that was given: it may be a secret.
"""

from collections.abc import Iterable, Sequence

from endpointd.errors import OperatorError, UsageError
from endpointd.manifest.findings import one_line
from endpointd.manifest.values import Fault

MOST_FAULTS = 1000
"""Told at once. Whoever has more has made one mistake very often."""


class EndpointInvalid(UsageError):
    """Something that was given for endpoints does not do: `faults` are all of it, each with the key of what it is about
    ("name", "settings.token")."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults[:MOST_FAULTS])
        super().__init__(
            "endpoint_invalid",
            _joined(f"{fault.key}: {fault.message}" for fault in self.faults),
            _joined(f"{fault.key}: {fault.remedy}" for fault in self.faults),
        )

    def __str__(self) -> str:
        return "\n".join(one_line(str(fault)) for fault in self.faults)


def _joined(texts: Iterable[str]) -> str:
    return one_line("; ".join(dict.fromkeys(texts)))


class EndpointMissing(OperatorError):
    """No endpoint goes by this name."""

    def __init__(self, name: str, near: Iterable[str] = ()) -> None:
        meant = " or ".join(near)
        super().__init__(
            "endpoint_unknown",
            f"there is no endpoint {name[:200]!r}",
            f"did you mean {meant}?" if meant else "'endpointd endpoint list' shows those that there are",
        )


class EndpointDeclared(OperatorError):
    """It is the declarative file's, which would undo any change."""

    def __init__(self, name: str) -> None:
        super().__init__(
            "endpoint_declared",
            f"the endpoint {name!r} is one of those that a file declares",
            "change that file, and apply it again with 'endpointd endpoint apply FILE'",
        )
