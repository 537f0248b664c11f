"""`session.workflow_node`: single nodes of workflows."""

from typing import Any

from dify_plugin.entities.workflow_node import NodeResponse
from dify_plugin.invocations.base import Invocation


class ParameterExtractorInvocation(Invocation):
    def invoke(self, parameters: list[Any], model: Any, query: str, instruction: str = "") -> NodeResponse:  # noqa: ANN401
        """Find values for `parameters` ({name, type, description, required, options}) in a text."""
        request = {"parameters": parameters, "model": model, "query": query, "instruction": instruction}
        return NodeResponse(**self.only("node_parameter_extractor", request))


class QuestionClassifierInvocation(Invocation):
    def invoke(self, classes: list[Any], model: Any, query: str, instruction: str = "") -> NodeResponse:  # noqa: ANN401
        """Find the one of `classes` ({id, name}) that a question belongs to."""
        request = {"classes": classes, "model": model, "query": query, "instruction": instruction}
        return NodeResponse(**self.only("node_question_classifier", request))
