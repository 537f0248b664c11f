"""`session.app.workflow`."""

from dify_plugin.invocations.app.base import InputsInvocation


class WorkflowAppInvocation(InputsInvocation):
    """See `InputsInvocation`."""
