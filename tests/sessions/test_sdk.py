"""The session's parts besides storage: what each asks for, and what it makes of the reply."""

import json
from pathlib import Path
from typing import Any

import pytest

from endpointd.testing import FakeSession, PluginLoader
from sessions.conftest import Run
from support.plugins import write_plugin

LLM = """\
from dify_plugin.entities.model.llm import LLMModelConfig
from dify_plugin.entities.model.message import SystemPromptMessage, UserPromptMessage
config = LLMModelConfig(provider="p", model="m", mode="chat", more="ignored")
messages = [SystemPromptMessage(content="be brief"), UserPromptMessage(content="hello")]
llm = self.session.model.llm
"""


def test_a_language_model_streams(run: Run) -> None:
    session = FakeSession(answers={"llm": ["Hel", "lo"]})
    body = LLM + "return Response(chunk.delta.message.content for chunk in llm.invoke(config, messages, stop=['x']))"
    assert run(body, session).get("/").data == b"Hello"
    (call,) = session.calls_of("llm")
    assert call.arguments == {
        "provider": "p",
        "model": "m",
        "model_type": "llm",
        "mode": "chat",
        "completion_params": {},
        "prompt_messages": [
            {"role": "system", "content": "be brief", "name": None},
            {"role": "user", "content": "hello", "name": None},
        ],
        "tools": None,
        "stop": ["x"],
        "stream": True,
    }


def test_a_language_model_answers_as_a_whole(run: Run) -> None:
    last = {"model": "m", "delta": {"message": {"content": "!"}, "usage": {"total_tokens": 7, "other": 1}}}
    session = FakeSession(answers={"llm": ["Hel", "lo", last]})
    body = LLM + (
        "found = llm.invoke({'provider': 'p', 'model': 'm'}, messages, stream=False)\n"
        "return Response(json.dumps([found.message.content, found.usage.total_tokens, found.model_dump()['model']]))"
    )
    assert run(body, session).get("/").get_json(force=True) == ["Hello!", 7, "m"]
    assert session.calls[0].arguments["stream"] is False


def test_a_model_asks_for_a_tool(run: Run) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "clock", "arguments": "{}"}}
    chunk = {"delta": {"message": {"content": "", "tool_calls": [call]}}}
    body = LLM + (
        "from dify_plugin.entities.model.message import PromptMessageTool\n"
        "tool = PromptMessageTool(name='clock', description='the time', parameters={})\n"
        "found = llm.invoke(config, messages, tools=[tool], stream=False)\n"
        "return Response(found.message.tool_calls[0].function.name)"
    )
    session = FakeSession(answers={"llm": [chunk]})
    assert run(body, session).get("/").data == b"clock"
    assert session.calls[0].arguments["tools"] == [{"name": "clock", "description": "the time", "parameters": {}}]


MODEL = 'config = Config(provider="p", model="m")\nmodel = self.session.model\n'

OTHERS: list[tuple[str, str, str, object, object]] = [
    (
        "text_embedding",
        "from dify_plugin.entities.model.text_embedding import TextEmbeddingModelConfig as Config",
        "model.text_embedding.invoke(config, ['a', 'b']).embeddings",
        {"model": "m", "embeddings": [[0.5], [1.5]], "usage": {"tokens": 2}},
        [[0.5], [1.5]],
    ),
    (
        "rerank",
        "from dify_plugin.entities.model.rerank import RerankModelConfig as Config",
        "[doc.text for doc in model.rerank.invoke(config, ['a'], 'q').docs]",
        {"model": "m", "docs": [{"index": 0, "text": "a", "score": 0.5}]},
        ["a"],
    ),
    (
        "tts",
        "from dify_plugin.entities.model.tts import TTSModelConfig as Config",
        "[piece.hex() for piece in model.tts.invoke(config, 'hello')]",
        [{"result": b"\x00"}, {"result": b"\xff"}],
        ["00", "ff"],
    ),
    (
        "speech2text",
        "import io\nfrom dify_plugin.entities.model.speech2text import Speech2TextModelConfig as Config",
        "model.speech2text.invoke(config, io.BytesIO(b'sound'))",
        {"result": "hello"},
        "hello",
    ),
    (
        "moderation",
        "from dify_plugin.entities.model.moderation import ModerationModelConfig as Config",
        "model.moderation.invoke(config, 'text')",
        {"result": True},
        True,
    ),
    (
        "system_summary",
        "from dify_plugin.entities.model.tts import TTSModelConfig as Config",
        "[model.summary.invoke('short', 'i'), model.summary.invoke('x' * 2000, 'i')]",
        {"summary": "xx"},
        ["short", "xx"],
    ),
    (
        "llm_structured_output",
        "from dify_plugin.entities.model.llm import LLMModelConfig as Config",
        "model.llm_structured_output.invoke(config, [], {'type': 'object'}, stream=False).structured_output",
        [{"delta": {"message": {"content": "{}"}}, "structured_output": {"a": 1}}],
        {"a": 1},
    ),
    (
        "node_parameter_extractor",
        MODEL.replace("Config(", "dict("),
        "self.session.workflow_node.parameter_extractor.invoke([{'name': 'x'}], config, 'q').outputs",
        {"outputs": {"x": 1}},
        {"x": 1},
    ),
    (
        "node_question_classifier",
        MODEL.replace("Config(", "dict("),
        "self.session.workflow_node.question_classifier.invoke([{'id': '1', 'name': 'x'}], config, 'q').outputs",
        {"outputs": {"class_id": "1"}},
        {"class_id": "1"},
    ),
    ("fetch_app", "", "self.session.app.fetch_app('app-1')", {"name": "App"}, {"name": "App"}),
    (
        "app",
        "",
        "self.session.app.completion.invoke('app-1', {'a': 1})",
        {"answer": "whole"},
        {"answer": "whole"},
    ),
    (
        "tool",
        "",
        "[m.message['text'] for m in self.session.tool.invoke_api_tool('p', 't', {'a': (1, 2)})]",
        [{"type": "text", "message": {"text": "x"}}],
        ["x"],
    ),
    (
        "upload_file",
        "",
        "self.session.file.upload('a.png', b'png', 'image/png').to_app_parameter()",
        {"id": "f-1", "name": "a.png", "size": 3, "extension": ".png", "mime_type": "image/png", "type": "image"},
        {"tool_file_id": "f-1", "transfer_method": "tool_file", "type": "image"},
    ),
]


@pytest.mark.parametrize(("kind", "imports", "expression", "reply", "expected"), OTHERS, ids=[one[0] for one in OTHERS])
def test_the_other_parts(run: Run, kind: str, imports: str, expression: str, reply: object, expected: object) -> None:
    session = FakeSession(answers={kind: reply})
    head = imports if "config" in imports or not imports else f"{imports}\n{MODEL}"
    client = run(f"{head}\nreturn Response(json.dumps({expression}))", session)
    assert client.get("/").get_json(force=True) == expected, client.log()
    assert len(session.calls_of(kind)) == 1


def test_a_file_goes_with_its_call(run: Run) -> None:
    reply = {"id": "f-1", "name": "a", "size": 3}
    session = FakeSession(answers={"upload_file": reply})
    client = run("self.session.file.upload('a', r.get_data(), 'x/y')\nreturn Response()", session)
    content = bytes(range(256)) * 8192
    assert client.post("/", data=content).status_code == 200
    assert session.calls[0].body == content
    assert session.calls[0].arguments == {"filename": "a", "mimetype": "x/y"}


ATTRIBUTES = """\
from dify_plugin.core.runtime import Session
from dify_plugin.invocations.app.chat import ChatAppInvocation
session = self.session
by_hand = "".join(event["answer"] for event in ChatAppInvocation(session).invoke("a", "q", {}))
return Response(json.dumps({
    "none": [session.conversation_id, session.message_id, session.app_id],
    "endpoint": session.endpoint_id,
    "credential": session.context.get_credential_id("p"),
    "install_method": session.install_method,
    "same": isinstance(session, Session) and session.storage is session.storage,
    "by_hand": by_hand,
}))
"""


def test_the_sessions_attributes(run: Run) -> None:
    told: dict[str, Any] = json.loads(run(ATTRIBUTES, FakeSession(answers={"app": ["x", "y"]})).get("/").data)
    assert told == {
        "none": [None, None, None],
        "endpoint": "probe",
        "credential": None,
        "install_method": "local",
        "same": True,
        "by_hand": "xy",
    }


def test_a_constructor_of_the_plugins_own(load_plugin: PluginLoader, tmp_path: Path) -> None:
    source = """\
from dify_plugin import Endpoint
from werkzeug import Response

class Own(Endpoint):
    def __init__(self, session):
        super().__init__(session)
        self.mine = session.storage

    def _invoke(self, r, values, settings):
        self.mine.set("a", b"x")
        return Response(self.session.storage.get("a"))
"""
    permission = {"storage": {"enabled": True}}
    folder = write_plugin(tmp_path, "own", {"own.py": source}, [("GET", "/", "own.py")], permission=permission)
    assert load_plugin(folder).get("/").data == b"x"
