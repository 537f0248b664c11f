"""`session.tool`: tools of other plugins, of workflows and of APIs."""

from collections.abc import Generator, Mapping
from typing import Any

from dify_plugin.entities.tool import ToolInvokeMessage, ToolProviderType
from dify_plugin.invocations.base import Invocation

Messages = Generator[ToolInvokeMessage, None, None]


class ToolInvocation(Invocation):
    def invoke(
        self,
        provider_type: ToolProviderType,
        provider: str,
        tool_name: str,
        parameters: Mapping[str, Any],
        credential_id: str | None = None,
    ) -> Messages:
        request = {
            "tool_type": provider_type,
            "provider": provider,
            "tool": tool_name,
            "tool_parameters": parameters,
            "credential_id": credential_id,
        }
        for item in self.items("tool", request):
            yield ToolInvokeMessage(**item)

    def invoke_builtin_tool(self, provider: str, tool_name: str, parameters: Mapping[str, Any]) -> Messages:
        return self.invoke(ToolProviderType.BUILT_IN, provider, tool_name, parameters)

    def invoke_workflow_tool(self, provider: str, tool_name: str, parameters: Mapping[str, Any]) -> Messages:
        return self.invoke(ToolProviderType.WORKFLOW, provider, tool_name, parameters)

    def invoke_api_tool(self, provider: str, tool_name: str, parameters: Mapping[str, Any]) -> Messages:
        return self.invoke(ToolProviderType.API, provider, tool_name, parameters)
