"""`Session`: what an Endpoint knows about the current request, and the calls that it can make to the daemon."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from dify_plugin.invocations.app.chat import ChatAppInvocation
from dify_plugin.invocations.app.completion import CompletionAppInvocation
from dify_plugin.invocations.app.fetch_app import FetchAppInvocation
from dify_plugin.invocations.app.workflow import WorkflowAppInvocation
from dify_plugin.invocations.base import Caller, CallingSession
from dify_plugin.invocations.file import File
from dify_plugin.invocations.model.llm import LLMInvocation, LLMStructuredOutputInvocation
from dify_plugin.invocations.model.others import (
    ModerationInvocation,
    RerankInvocation,
    Speech2TextInvocation,
    SummaryInvocation,
    TextEmbeddingInvocation,
    TTSInvocation,
)
from dify_plugin.invocations.storage import StorageInvocation
from dify_plugin.invocations.tool import ToolInvocation
from dify_plugin.invocations.workflow_node import ParameterExtractorInvocation, QuestionClassifierInvocation


class SessionContext:
    """Credentials of the caller. A request from outside has none."""

    def __init__(self) -> None:
        self.credentials: dict[str, Any] = {"tool_credentials": {}}

    def get_credential_id(self, provider: str) -> str | None:
        found: str | None = self.credentials["tool_credentials"].get(provider)
        return found


class AppInvocations:
    """`session.app`."""

    def __init__(self, session: CallingSession) -> None:
        self.chat = ChatAppInvocation(session)
        self.workflow = WorkflowAppInvocation(session)
        self.completion = CompletionAppInvocation(session)
        self.fetch_app_invocation = FetchAppInvocation(session)

    def fetch_app(self, app_id: str) -> Mapping[str, Any]:
        return self.fetch_app_invocation.get(app_id)


class ModelInvocations:
    """`session.model`."""

    def __init__(self, session: CallingSession) -> None:
        self.llm = LLMInvocation(session)
        self.llm_structured_output = LLMStructuredOutputInvocation(session)
        self.text_embedding = TextEmbeddingInvocation(session)
        self.rerank = RerankInvocation(session)
        self.speech2text = Speech2TextInvocation(session)
        self.tts = TTSInvocation(session)
        self.moderation = ModerationInvocation(session)
        self.summary = SummaryInvocation(session)


class WorkflowNodeInvocations:
    """`session.workflow_node`."""

    def __init__(self, session: CallingSession) -> None:
        self.question_classifier = QuestionClassifierInvocation(session)
        self.parameter_extractor = ParameterExtractorInvocation(session)


class Session:
    """`self.session` of an Endpoint. A request belongs to no conversation, message or app, so these three ids are None.

    It may be used in any thread, also after the request is over. A call blocks the thread that makes it.
    """

    conversation_id: str | None = None
    message_id: str | None = None
    app_id: str | None = None
    install_method = "local"
    max_invocation_timeout = 250

    def __init__(self, session_id: str, endpoint_id: str, call: Caller) -> None:
        self.session_id = session_id
        """The request's id, as in the daemon's log and in its error answers."""
        self.endpoint_id = endpoint_id
        """The hook id under which the endpoint was called."""
        self.call = call

    @classmethod
    def empty_session(cls) -> "Session":
        """A session whose calls all raise RuntimeError, for a plugin's own unit tests."""
        return cls("", "", _nobody)

    # Created when they are first used: most requests use none.

    @cached_property
    def context(self) -> SessionContext:
        return SessionContext()

    @cached_property
    def storage(self) -> StorageInvocation:
        return StorageInvocation(self)

    @cached_property
    def file(self) -> File:
        return File(self)

    @cached_property
    def app(self) -> AppInvocations:
        return AppInvocations(self)

    @cached_property
    def model(self) -> ModelInvocations:
        return ModelInvocations(self)

    @cached_property
    def tool(self) -> ToolInvocation:
        return ToolInvocation(self)

    @cached_property
    def workflow_node(self) -> WorkflowNodeInvocations:
        return WorkflowNodeInvocations(self)


def _nobody(kind: str, arguments: Mapping[str, object], body: bytes = b"") -> Iterator[Any]:  # noqa: ARG001
    raise RuntimeError(f"an empty session cannot call {kind!r}; the fixture load_plugin of endpointd gives a real one")
