"""Calls of plugins through everything: a client, the daemon, a worker, and a server that stands in for a backend.

The same plugin is there twice: with the small `dify_plugin` that comes with endpointd, and with Dify's own.
"""

import http.client
import json
import shutil
import signal
import socket
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import uv

from endpointd.testing import RunningDaemon
from endpointd.testing.daemon import DaemonStarter
from sessions.conftest import EVERYTHING
from support.eventually import eventually
from support.probe import probe
from support.sdks import NEWEST, interpreter_for
from support.stand_in import Answer, Asked, Step, standing_in
from support.stand_in_dify import INNER_KEY, TENANT, DifyInnerStandIn, enveloped
from support.stand_in_openai import KEY, TOOL_CALLS, TOOL_STREAM, OpenAiStandIn, delta

BUILT_IN, OFFICIAL = "probe", "official"

PLUGIN = """\
import itertools
from dify_plugin.entities.model.llm import LLMModelConfig
from dify_plugin.entities.model.message import PromptMessageTool, UserPromptMessage
session, do = self.session, r.args["do"]
model = LLMModelConfig(provider="p", model="small", mode="chat", completion_params={"temperature": 0.5})
hello = [UserPromptMessage(content=r.args.get("text", "hello"))]
if do == "chat":
    events = session.app.chat.invoke("app-1", r.args.get("text", "hello"), {})
    return Response(event["answer"] for event in events)
if do == "workflow":
    return Response(json.dumps(session.app.workflow.invoke("app-2", {"n": 1})))
if do == "relay":
    first = session.app.workflow.invoke("app-1", {})
    return Response(json.dumps(session.app.workflow.invoke("app-2", first)))
if do == "fetch":
    return Response(json.dumps(session.app.fetch_app("app-1")))
if do == "llm":
    return Response(chunk.delta.message.content for chunk in session.model.llm.invoke(model, hello))
if do == "llm-whole":
    tool = PromptMessageTool(name="look", description="", parameters={"type": "object"})
    found = session.model.llm.invoke(model, hello, tools=[tool], stream=False)
    return Response(json.dumps([found.message.content, found.usage.total_tokens]))
if do == "llm-tools":
    chunks = session.model.llm.invoke(model, hello)
    calls = [call.model_dump() for chunk in chunks for call in chunk.delta.message.tool_calls]
    return Response(json.dumps(calls))
if do == "upload":
    return Response(json.dumps(session.file.upload("a.png", r.get_data(), "image/png").to_app_parameter()))
if do == "speech":
    import io
    from dify_plugin.entities.model.speech2text import Speech2TextModelConfig
    from dify_plugin.entities.model.tts import TTSModelConfig
    sound = b"".join(session.model.tts.invoke(TTSModelConfig(provider="p", model="m", voice="v"), "say"))
    config = Speech2TextModelConfig(provider="p", model="m")
    return Response(sound + session.model.speech2text.invoke(config, io.BytesIO(sound)).encode())
"""

CONFIG = """\
concurrency = 100
[backend.dify]
type = "dify-inner"
url = "{dify}"
key = {{ file = "inner.key" }}
tenant = "{tenant}"
[backend.models]
type = "openai"
url = "{openai}/v1"
key = {{ env = "MODELS_KEY" }}
models = {{ small = "real-model" }}
[calls]
model = "models"
"""


@pytest.fixture(scope="module")
def dify() -> Iterator[DifyInnerStandIn]:
    server = DifyInnerStandIn()
    with standing_in(server):
        yield server


@pytest.fixture(scope="module")
def openai() -> Iterator[OpenAiStandIn]:
    server = OpenAiStandIn()
    with standing_in(server):
        yield server


@pytest.fixture(autouse=True)
def _as_new(dify: DifyInnerStandIn, openai: OpenAiStandIn) -> None:
    dify.reset()
    openai.reset()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, dify: DifyInnerStandIn, openai: OpenAiStandIn) -> Path:
    folder = tmp_path_factory.mktemp("backends")
    own = probe(folder / "plugins", PLUGIN, permission=EVERYTHING)
    official = shutil.copytree(own, folder / "plugins" / OFFICIAL)
    manifest = official / "manifest.yaml"
    manifest.write_text(manifest.read_text().replace("name: probe", f"name: {OFFICIAL}"))
    (official / "requirements.txt").write_text(f"dify_plugin=={NEWEST}\n")
    (folder / "inner.key").write_text(f"{INNER_KEY}\n")
    (folder / "endpointd.toml").write_text(CONFIG.format(dify=dify.url, openai=openai.url, tenant=TENANT))
    return folder


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[RunningDaemon]:
    starter = DaemonStarter(tmp_path_factory.mktemp)
    settings = {"config": folder / "endpointd.toml", "log_level": "debug", "uv_cache": cache()}
    yield starter(folder / "plugins", env={"MODELS_KEY": KEY}, **settings)
    starter.stop_all()


def cache() -> str:
    """Where uv has packages that this machine has used before."""
    return subprocess.check_output([uv.find_uv_bin(), "cache", "dir"], text=True).strip()


@pytest.fixture(params=[BUILT_IN, OFFICIAL])
def plugin(request: pytest.FixtureRequest, daemon: RunningDaemon) -> str:
    name: str = request.param
    if name == OFFICIAL:
        interpreter_for(NEWEST)
    eventually(lambda: any(event["plugin"] == f"test/{name}" for event in events(daemon, "worker.ready")), seconds=120)
    return name


def url(daemon: RunningDaemon, plugin: str, do: str, **arguments: str) -> str:
    return f"{daemon.url}/e/{plugin}/?{urllib.parse.urlencode({'do': do, **arguments})}"


def ask(daemon: RunningDaemon, plugin: str, do: str, body: bytes | None = None, **arguments: str) -> bytes:
    with urllib.request.urlopen(url(daemon, plugin, do, **arguments), body, timeout=30) as answer:
        found: bytes = answer.read()
    return found


def test_apps(daemon: RunningDaemon, plugin: str, dify: DifyInnerStandIn) -> None:
    assert ask(daemon, plugin, "chat") == b"Hello"
    asked = dify.last("/inner/api/invoke/app").json
    assert (asked["app_id"], asked["query"], asked["response_mode"]) == ("app-1", "hello", "streaming")
    dify.streams["invoke/app"] = [{"data": {"outputs": {}}}]
    assert json.loads(ask(daemon, plugin, "workflow")) == {"data": {"outputs": {}}}
    assert dify.last("/inner/api/invoke/app").json["response_mode"] == "blocking"
    assert json.loads(ask(daemon, plugin, "fetch"))["opening_statement"] == "Hi"


def test_large_language_models(daemon: RunningDaemon, plugin: str, openai: OpenAiStandIn) -> None:
    assert ask(daemon, plugin, "llm") == b"Hello"
    assert json.loads(ask(daemon, plugin, "llm-whole")) == ["Hello", 7]
    asked = openai.last("/v1/chat/completions").json
    assert (asked["model"], asked["temperature"]) == ("real-model", 0.5)
    assert asked["messages"] == [{"role": "user", "content": "hello"}]
    openai.stream = TOOL_STREAM
    assert json.loads(ask(daemon, plugin, "llm-tools")) == TOOL_CALLS


def test_files_and_sound(daemon: RunningDaemon, plugin: str, dify: DifyInnerStandIn) -> None:
    content = bytes(3_000_000)
    assert json.loads(ask(daemon, plugin, "upload", content))["tool_file_id"] == "file-1"
    assert content in dify.last("/files/upload/for-plugin").body
    assert ask(daemon, plugin, "speech").startswith(b"\x00\xffsound")


def test_what_a_backend_says_arrives_as_it_says_it(daemon: RunningDaemon, plugin: str, openai: OpenAiStandIn) -> None:
    openai.stream = [delta("first"), Step.WAIT, delta("second", "stop"), b"data: [DONE]\n\n"]
    with urllib.request.urlopen(url(daemon, plugin, "llm"), timeout=30) as answer:
        assert answer.read(5) == b"first"
        openai.go()
        assert answer.read() == b"second"


def test_a_client_that_leaves_ends_the_call_at_the_backend(
    daemon: RunningDaemon, plugin: str, dify: DifyInnerStandIn
) -> None:
    dify.streams["invoke/app"] = [{"answer": "first"}, Step.STAY]
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as client:
        client.sendall(f"GET /e/{plugin}/?do=chat HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = b""
        while b"first" not in answer:
            answer += client.recv(1000)
    assert dify.left() == "/inner/api/invoke/app"


def test_one_that_leaves_before_the_answer_does_not(daemon: RunningDaemon, plugin: str, dify: DifyInnerStandIn) -> None:
    """A bot's answer goes another way than through the client, who hears nothing for too long."""

    def first_waits(asked: Asked) -> Answer:
        return Answer(steps=[*([] if asked.json["inputs"] else [Step.WAIT]), enveloped({"answer": "the first"})])

    dify.answer = first_waits
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as client:
        client.sendall(f"GET /e/{plugin}/?do=relay HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        dify.wait_for(1)
    # The daemon has seen that the client has gone when it has answered somebody who came later.
    assert ask(daemon, plugin, "llm") == b"Hello"
    dify.go()
    dify.wait_for(2)
    assert dify.asked[-1].json["inputs"] == {"answer": "the first"}


def test_a_failure_in_the_middle_is_no_whole_answer(daemon: RunningDaemon, plugin: str, dify: DifyInnerStandIn) -> None:
    dify.streams["invoke/app"] = [{"answer": "first"}, Step.BREAK]
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        ask(daemon, plugin, "chat")
    daemon.wait_for_log("backend.failed")
    assert ask(daemon, plugin, "llm") == b"Hello"


def test_a_hundred_at_once(daemon: RunningDaemon, plugin: str, dify: DifyInnerStandIn) -> None:
    """All are under way together, and each gets what is its own."""

    def own(asked: Asked) -> Answer:
        return Answer(steps=[Step.WAIT, enveloped({"answer": asked.json["query"]}), enveloped({"answer": "."})])

    dify.answer = own
    with ThreadPoolExecutor(100) as clients:
        found = [clients.submit(ask, daemon, plugin, "chat", text=f"question {number}") for number in range(100)]
        dify.wait_for(100)
        dify.go(100)
        assert [one.result() for one in found] == [f"question {number}.".encode() for number in range(100)]
    assert dify.most_at_once == 100


def test_a_reload_takes_other_backends(daemon: RunningDaemon, folder: Path, dify: DifyInnerStandIn) -> None:
    """Calls that are under way keep theirs; what cannot be used changes nothing."""
    config = folder / "endpointd.toml"
    before = config.read_text()
    dify.streams["invoke/app"] = [{"answer": "first"}, Step.WAIT, {"answer": "second"}]
    other = DifyInnerStandIn()
    other.streams["invoke/app"] = [{"answer": "of another"}]
    with standing_in(other), urllib.request.urlopen(url(daemon, BUILT_IN, "chat"), timeout=30) as answer:
        assert answer.read(5) == b"first"
        config.write_text(before.replace(dify.url, other.url))
        reload(daemon, "configuration.reloaded")
        assert ask(daemon, BUILT_IN, "chat") == b"of another"
        (folder / "inner.key").rename(folder / "away")
        reload(daemon, "configuration.refused")
        assert ask(daemon, BUILT_IN, "chat") == b"of another"
        (folder / "away").rename(folder / "inner.key")
        dify.go()
        assert answer.read() == b"second"
    config.write_text(before.replace("[calls]", '[calls]\napp = "none"'))
    reload(daemon, "configuration.reloaded")
    with pytest.raises((urllib.error.HTTPError, http.client.IncompleteRead, ConnectionError)):
        ask(daemon, BUILT_IN, "chat")
    config.write_text(before)
    reload(daemon, "configuration.reloaded")
    dify.reset()
    dify.streams["invoke/app"] = [{"answer": "as before"}]
    assert ask(daemon, BUILT_IN, "chat") == b"as before"


def reload(daemon: RunningDaemon, event: str) -> None:
    before = len(events(daemon, event))
    daemon.process.send_signal(signal.SIGHUP)
    eventually(lambda: len(events(daemon, event)) > before)


def events(daemon: RunningDaemon, name: str) -> list[dict[str, Any]]:
    return [event for event in daemon.events() if event["event"] == name]


def test_no_secret_is_in_the_log(daemon: RunningDaemon, dify: DifyInnerStandIn, openai: OpenAiStandIn) -> None:
    """Whatever the backends say, with the most talkative log that there is."""
    dify.answer = lambda asked: Answer(500, "text/plain", [json.dumps(asked.headers).encode()])
    openai.answer = lambda asked: Answer(401, "text/plain", [json.dumps(asked.headers).encode()])
    threads = [threading.Thread(target=fails, args=(daemon, do)) for do in ("chat", "llm", "llm-whole", "upload")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    daemon.wait_for_log("answered with HTTP 500")
    daemon.wait_for_log("does not accept the key")
    for secret in (INNER_KEY, KEY, "s3cret"):
        assert secret not in daemon.log()


def fails(daemon: RunningDaemon, do: str) -> None:
    with pytest.raises((urllib.error.HTTPError, http.client.IncompleteRead, ConnectionError)):
        ask(daemon, BUILT_IN, do, b"x" if do == "upload" else None)
