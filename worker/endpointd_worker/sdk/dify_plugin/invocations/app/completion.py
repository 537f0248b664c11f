"""`session.app.completion`."""

from dify_plugin.invocations.app.base import InputsInvocation


class CompletionAppInvocation(InputsInvocation):
    """See `InputsInvocation`."""
