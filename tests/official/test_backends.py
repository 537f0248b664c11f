"""Calls of plugins with Dify's SDK through everything: a client, the daemon, a worker, and what stands in for a
backend. What backends say is what each version of the SDK can read."""

import http.client
import json
import os
import shutil
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from endpointd.testing import DaemonStarter, RunningDaemon
from official.conftest import SOURCES
from sessions.conftest import EVERYTHING
from support.eventually import eventually
from support.plugins import write_plugin
from support.sdks import ALL, FOR_311, interpreter_for
from support.stand_in import Step, standing_in
from support.stand_in_dify import INNER_KEY, TENANT, DifyInnerStandIn
from support.stand_in_openai import KEY, OpenAiStandIn

# Packages may have to be fetched first.
pytestmark = pytest.mark.timeout(300)

START_SECONDS = 90.0
CONFIG = """\
concurrency = 100
[backend.dify]
type = "dify-inner"
url = "{dify}"
key = {{ env = "DIFY_KEY" }}
tenant = "{tenant}"
[backend.models]
type = "openai"
url = "{openai}/v1"
key = {{ env = "MODELS_KEY" }}
summary_model = "s"
[calls]
model = "models"
"""
FOUND: dict[str, Any] = {
    "chat": [{"event": "message", "answer": "Hel"}, {"event": "message", "answer": "lo"}],
    "chat-by-hand": {"event": "message", "answer": "Hel"},
    "fetch-app": {"opening_statement": "Hi", "user_input_form": []},
    "llm-whole": "Hello",
    "embedding": [[1.0]],
    "rerank": 1.0,
    "tts": "\x00\xffsound",
    "moderation": False,
    "summary": "Hello",
    "tool": ["tooled"],
    "extractor": {"class_name": "c"},
    "classifier": {"class_name": "c"},
    "upload": "image",
}


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


def name_of(version: str) -> str:
    return f"sdk-{version.rstrip('.*').replace('.', '-')}"


def write(plugins: Path, version: str) -> None:
    python = "3.12" if version.startswith("0.10") else "3.11"
    folder = write_plugin(
        plugins,
        name_of(version),
        {"requirements.txt": f"dify_plugin=={version}\n"},
        [("GET", "/<call>", "calls.py")],
        permission=EVERYTHING,
    )
    shutil.copy(SOURCES / "calls.py", folder)
    manifest = folder / "manifest.yaml"
    manifest.write_text(manifest.read_text().replace("'3.12'", f"'{python}'"))


@pytest.fixture(scope="module")
def daemon(
    tmp_path_factory: pytest.TempPathFactory, dify: DifyInnerStandIn, openai: OpenAiStandIn
) -> Iterator[RunningDaemon]:
    folder = tmp_path_factory.mktemp("backends")
    for version in ALL:
        write(folder / "plugins", version)
    (folder / "endpointd.toml").write_text(CONFIG.format(dify=dify.url, openai=openai.url, tenant=TENANT))
    cache = os.environ.get("UV_CACHE_DIR") or Path.home() / ".cache" / "uv"
    starter = DaemonStarter(tmp_path_factory.mktemp)
    keys = {"MODELS_KEY": KEY, "DIFY_KEY": INNER_KEY}
    daemon = starter(folder / "plugins", config=folder / "endpointd.toml", uv_cache=cache, env=keys)
    yield daemon
    assert daemon.stop(START_SECONDS) == 0, daemon.log()


def ask(daemon: RunningDaemon, version: str, call: str) -> Any:  # noqa: ANN401 - JSON
    with urllib.request.urlopen(f"{daemon.url}/e/{name_of(version)}/{call}", timeout=30) as answer:
        return json.loads(answer.read())


def await_running(daemon: RunningDaemon, version: str) -> None:
    interpreter_for(version)

    def runs() -> bool:
        try:
            return bool(ask(daemon, version, "ids"))
        except OSError:
            return False

    eventually(runs, START_SECONDS)


@pytest.mark.parametrize("version", ALL)
def test_what_backends_say_can_be_read(daemon: RunningDaemon, version: str) -> None:
    await_running(daemon, version)
    assert {call: ask(daemon, version, call) for call in FOUND} == FOUND
    assert "".join(ask(daemon, version, "llm")) == "Hello"
    assert ask(daemon, version, "speech").endswith("bytes")
    assert ask(daemon, version, "get")["error"] == "Exception"
    assert ask(daemon, version, "set") is None
    assert ask(daemon, version, "get") == "\x00\xff"


def test_a_hundred_calls_at_once(daemon: RunningDaemon, dify: DifyInnerStandIn) -> None:
    await_running(daemon, FOR_311)
    dify.streams["invoke/app"] = [{"answer": "Hel"}, Step.WAIT, {"answer": "lo"}]
    with ThreadPoolExecutor(100) as clients:
        answers = [clients.submit(ask, daemon, FOR_311, "chat") for _ in range(100)]
        dify.wait_for(100)
        assert dify.most_at_once == 100
        dify.go(100)
        assert all(answer.result() == [{"answer": "Hel"}, {"answer": "lo"}] for answer in answers)


def test_a_client_that_leaves_takes_the_call_along(daemon: RunningDaemon, dify: DifyInnerStandIn) -> None:
    await_running(daemon, FOR_311)
    dify.streams["invoke/app"] = [{"answer": "Hel"}, Step.STAY]
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=30)
    connection.request("GET", f"/e/{name_of(FOR_311)}/streamed")
    with connection.getresponse() as answer:
        assert answer.read(3) == b"Hel"
        # Of a connection whose answer is read, this closes nothing yet.
        connection.close()
    assert dify.left() == "/inner/api/invoke/app"


def test_a_backend_that_breaks_off_is_an_error_that_the_plugin_can_catch(
    daemon: RunningDaemon, dify: DifyInnerStandIn
) -> None:
    await_running(daemon, FOR_311)
    dify.streams["invoke/app"] = [{"answer": "Hel"}, Step.BREAK]
    assert ask(daemon, FOR_311, "chat")["error"] == "Exception"
