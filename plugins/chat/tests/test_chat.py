"""The chat through a real daemon: who listens hears, many may, and who leaves is forgotten."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from endpointd.testing import DaemonStarter, PluginLoader, RunningDaemon

FOLDER = Path(__file__).parents[1]
MANY = 100
"""Listeners: more than a plugin with threads has places for."""


@pytest.fixture(scope="module")
def daemon(start_daemon_for_module: DaemonStarter) -> RunningDaemon:
    return start_daemon_for_module.one(FOLDER)


@pytest.fixture
def chat(daemon: RunningDaemon) -> Iterator[httpx.Client]:
    limits = httpx.Limits(max_connections=None)
    with httpx.Client(base_url=f"{daemon.url}/e/chat/", timeout=10, trust_env=False, limits=limits) as client:
        yield client


def test_many_hear_what_is_said(chat: httpx.Client) -> None:
    with ExitStack() as open_streams:
        streams = [open_streams.enter_context(chat.stream("GET", "hall")).iter_lines() for _ in range(MANY)]
        for lines in streams:
            assert next(lines) == ": welcome"
        assert chat.post("hall", content="Hello, all!").text == f"{MANY} heard it\n"
        for lines in streams:
            assert [next(lines), next(lines)] == ["", 'data: "Hello, all!"']


def test_rooms_are_apart(chat: httpx.Client) -> None:
    with chat.stream("GET", "kitchen") as answer:
        assert next(answer.iter_lines()) == ": welcome"
        assert chat.post("cellar", content="Anybody?").text == "0 heard it\n"


def test_one_that_leaves_is_forgotten(daemon: RunningDaemon, chat: httpx.Client) -> None:
    with chat.stream("GET", "attic") as answer:
        assert next(answer.iter_lines()) == ": welcome"
    daemon.wait_for_log("a listener has left attic")
    assert chat.post("attic", content="Still there?").text == "0 heard it\n"


def test_it_can_be_tested_without_a_daemon(load_plugin: PluginLoader) -> None:
    client = load_plugin()
    listener = client.get("/loft")
    events = iter(listener.response)
    assert next(events) == b": welcome\n\n"
    assert client.post("/loft", data="Boo").text == "1 heard it\n"
    assert next(events) == b'data: "Boo"\n\n'
    listener.close()
    client.wait_for_log("a listener has left loft")
