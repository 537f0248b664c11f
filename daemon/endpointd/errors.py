"""The errors that endpointd raises to its callers: each with a stable code, a message, and what to do about it."""


class EndpointdError(Exception):
    """Base of every error that endpointd raises on purpose. Anything else that escapes is a defect."""


class OperatorError(EndpointdError):
    """The daemon cannot do what it was asked, for a reason that the operator can remove.

    code: stable identifier in snake_case. message: what happened and to whom. remedy: what to do, as an imperative.
    """

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(code, message, remedy)
        self.code = code
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy} [{self.code}]"


class UsageError(OperatorError):
    """The request itself is wrong (an option, a setting, an argument), so that trying again cannot help."""
