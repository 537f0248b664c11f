"""`session.app.completion`."""

from dify_plugin.invocations.app.base import InputsInvocation


class CompletionAppInvocation(InputsInvocation):
    """What it is given and answers is as in `InputsInvocation`."""
