"""Makes the session call that the path names, and tells as JSON what came of it."""

import importlib
import io
import json
import pkgutil
import threading

import dify_plugin
from dify_plugin import Endpoint
from dify_plugin.entities.model.llm import LLMModelConfig
from dify_plugin.entities.model.message import SystemPromptMessage, UserPromptMessage
from dify_plugin.entities.model.moderation import ModerationModelConfig
from dify_plugin.entities.model.rerank import RerankModelConfig
from dify_plugin.entities.model.speech2text import Speech2TextModelConfig
from dify_plugin.entities.model.text_embedding import TextEmbeddingModelConfig
from dify_plugin.entities.model.tts import TTSModelConfig
from dify_plugin.entities.tool import ToolProviderType
from dify_plugin.entities.workflow_node import ClassConfig, ModelConfig, ParameterConfig
from dify_plugin.invocations.app.chat import ChatAppInvocation
from werkzeug import Response

NAMES = {"provider": "p", "model": "m"}
PROMPT = [SystemPromptMessage(content="be brief"), UserPromptMessage(content="hello")]
NODE_MODEL = ModelConfig(provider="p", name="m", mode="chat", completion_params={})


def _texts(chunks):
    return [chunk.delta.message.content for chunk in chunks]


def _messages(tool):
    return [message.message.text for message in tool]


may_call, has_called = threading.Event(), threading.Event()
found_by_thread = []


def _start_thread(session):
    def later():
        may_call.wait()
        found_by_thread.append(session.storage.get("k").decode())
        has_called.set()

    threading.Thread(target=later, daemon=True).start()
    return "started"


def _let_it_call(_):
    may_call.set()
    return "may call"


def _what_it_found(_):
    has_called.wait()
    return found_by_thread[0]


def _modules_that_cannot_be_imported(_):
    failed = []
    for module in pkgutil.walk_packages(dify_plugin.__path__, "dify_plugin."):
        try:
            importlib.import_module(module.name)
        except Exception as error:
            failed.append(f"{module.name}: {error}")
    return failed


CALLS = {
    "thread": _start_thread,
    "let-it-call": _let_it_call,
    "what-it-found": _what_it_found,
    "modules": _modules_that_cannot_be_imported,
    "get": lambda s: s.storage.get("k").decode("latin-1"),
    "set": lambda s: s.storage.set("k", b"\x00\xff"),
    "delete": lambda s: s.storage.delete("k"),
    "exist": lambda s: s.storage.exist("k"),
    "chat": lambda s: list(s.app.chat.invoke("a", "q", {"x": 1}, "streaming", "c")),
    "chat-blocking": lambda s: s.app.chat.invoke("a", "q", {}, response_mode="blocking"),
    "chat-by-hand": lambda s: next(iter(ChatAppInvocation(s).invoke("a", "q", {}))),
    "workflow": lambda s: s.app.workflow.invoke("a", {"x": 1}, "blocking"),
    "completion": lambda s: list(s.app.completion.invoke("a", {"x": 1}, "streaming")),
    "fetch-app": lambda s: dict(s.app.fetch_app("a")),
    "llm": lambda s: _texts(s.model.llm.invoke(LLMModelConfig(**NAMES, mode="chat"), PROMPT, stop=["x"])),
    "llm-whole": lambda s: s.model.llm.invoke(dict(NAMES, mode="chat"), PROMPT, stream=False).message.content,
    "embedding": lambda s: s.model.text_embedding.invoke(TextEmbeddingModelConfig(**NAMES), ["t"]).embeddings,
    "rerank": lambda s: (
        s.model.rerank.invoke(RerankModelConfig(**NAMES, score_threshold=0.5, top_n=1), ["d"], "q").docs[0].score
    ),
    "tts": lambda s: b"".join(s.model.tts.invoke(TTSModelConfig(**NAMES, voice="v"), "t")).decode("latin-1"),
    "speech": lambda s: s.model.speech2text.invoke(Speech2TextModelConfig(**NAMES), io.BytesIO(b"\x00\xffsound")),
    "moderation": lambda s: s.model.moderation.invoke(ModerationModelConfig(**NAMES), "t"),
    "summary": lambda s: s.model.summary.invoke("long", "shorten", 1),
    "tool": lambda s: _messages(s.tool.invoke(ToolProviderType.BUILT_IN, "time", "now", {"tz": "utc"})),
    "extractor": lambda s: (
        s.workflow_node.parameter_extractor.invoke(
            [ParameterConfig(name="n", type="string", description="d", required=True)], NODE_MODEL, "q"
        ).outputs
    ),
    "classifier": lambda s: (
        s.workflow_node.question_classifier.invoke([ClassConfig(id="1", name="n")], NODE_MODEL, "q").outputs
    ),
    "upload": lambda s: s.file.upload("a.png", b"\x00\xffpixels", "image/png").to_app_parameter()["type"],
    "first-of-many": lambda s: next(iter(s.app.chat.invoke("a", "q", {}))),
    "never-begun": lambda s: str(type(s.app.chat.invoke("a", "q", {}))),
    "executor": lambda s: s._executor.submit(lambda: threading.current_thread() is not None).result(),
    "ids": lambda s: [s.session_id, s.endpoint_id, s.app_id, s.conversation_id, s.install_method.value],
}


class Calls(Endpoint):
    def __init__(self, session):
        super().__init__(session)
        self.own = session

    def _invoke(self, r, values, settings):
        if r.path == "/streamed":
            return Response(one["answer"] for one in self.own.app.chat.invoke("a", "q", {}))
        try:
            found = CALLS[r.path.strip("/")](self.own)
        except Exception as error:
            found = {"error": type(error).__name__, "text": str(error)}
        return Response(json.dumps(found))
