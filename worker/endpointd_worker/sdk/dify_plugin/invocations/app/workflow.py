"""`session.app.workflow`."""

from dify_plugin.invocations.app.base import InputsInvocation


class WorkflowAppInvocation(InputsInvocation):
    """What it is given and answers is as in `InputsInvocation`."""
