"""The errors for changes of endpoints. Pure.

No message contains a given value, because it may be a secret.
"""

from collections.abc import Iterable, Sequence

from endpointd.errors import OperatorError, UsageError
from endpointd.manifest.findings import one_line
from endpointd.manifest.values import Fault

MOST_FAULTS = 1000
"""The most faults in one error. If there are more, the same mistake was made very often."""


class EndpointInvalid(UsageError):
    """What was given for endpoints is not valid. `faults` are all faults, each with its key ("name",
    "settings.token")."""

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
    """There is no endpoint with this id or name. `near` are similar ones."""

    def __init__(self, name: str, near: Iterable[str] = ()) -> None:
        meant = " or ".join(near)
        super().__init__(
            "endpoint_unknown",
            f"there is no endpoint {name[:200]!r}",
            f"did you mean {meant}?" if meant else "'endpointd endpoint list' shows those that there are",
        )


class EndpointDeclared(OperatorError):
    """The endpoint is declared by a file, which would undo any other change."""

    def __init__(self, name: str) -> None:
        super().__init__(
            "endpoint_declared",
            f"the endpoint {name!r} is one of those that a file declares",
            "change that file, and apply it again with 'endpointd endpoint apply FILE'",
        )
