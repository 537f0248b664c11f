"""Plugins that `load_plugin` has loaded: their streams, their failures, and what becomes of their workers."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

from endpointd.channel.exchange import Exchange
from endpointd.gateway.problems import Problem
from endpointd.testing import AnswerBroken, PluginLoader
from endpointd.testing.relay import Relay
from endpointd_wire.messages import End, Response
from support.probe import gated, probe

EXAMPLES = Path(__file__).parents[2] / "plugins"


def is_gone(pid: int | None) -> bool:
    assert pid is not None
    return not Path(f"/proc/{pid}").exists()


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("worker of")]


@pytest.fixture
def loader(tmp_path: Path) -> Iterator[PluginLoader]:
    """One whose end the test brings about itself."""
    loader = PluginLoader(tmp_path / "test_nothing.py")
    yield loader
    loader.stop_all()


# Streams


def test_the_first_piece_comes_while_the_plugin_waits(load_plugin: PluginLoader, tmp_path: Path) -> None:
    body = """\
def pieces():
    yield "first"
    wait_at(settings["gate"])
    yield "second"
return Response(pieces())"""
    folder, gate = gated(tmp_path, body)
    with gate:
        answer = load_plugin(folder).get("/")
        pieces = iter(answer.response)
        assert next(pieces) == b"first"
        gate.open()
        assert list(pieces) == [b"second"]


def test_a_response_is_there_before_its_first_piece(load_plugin: PluginLoader, tmp_path: Path) -> None:
    folder, gate = gated(tmp_path, 'return Response((wait_at(settings["gate"]) or "x" for _ in "1"), status=203)')
    with gate:
        answer = load_plugin(folder).get("/")
        assert answer.status_code == 203
        gate.open()
        assert answer.data == b"x"


def test_closing_the_response_ends_the_generator(load_plugin: PluginLoader, tmp_path: Path) -> None:
    body = """\
def pieces():
    try:
        while True:
            yield "again"
    except GeneratorExit:
        tell(settings["gate"])
        raise
return Response(pieces())"""
    folder, gate = gated(tmp_path, body)
    with gate, closing(load_plugin(folder).get("/")) as answer:
        assert b"again" in next(iter(answer.response))
        assert gate.is_silent()
        answer.close()
        gate.wait()


def test_a_test_that_does_not_read_is_a_slow_client(load_plugin: PluginLoader, tmp_path: Path) -> None:
    body = """\
def pieces():
    for number in range(32):
        yield bytes(256 * 1024)
    tell(settings["gate"])
return Response(pieces())"""
    folder, gate = gated(tmp_path, body)
    with gate:
        client = load_plugin(folder)
        answer = client.get("/")
        # What the worker sends ahead has come when it answers another request.
        client.head("/below/")
        assert gate.is_silent()
        assert len(answer.data) == 32 * 256 * 1024
        gate.wait()


def test_waiting_ends_with_the_clients_patience(load_plugin: PluginLoader, tmp_path: Path) -> None:
    folder, gate = gated(tmp_path, 'log.warning("waiting")\nwait_at(settings["gate"])\nreturn Response()')
    with gate:
        client = load_plugin(folder, timeout=0.5)
        with pytest.raises(AssertionError) as caught:
            client.get("/")
        assert "test/probe made the test wait more than 0.5 s for the answer to GET /" in str(caught.value)
        assert "WARNING probe: waiting" in str(caught.value)


def test_a_request_waits_for_a_place(load_plugin: PluginLoader, tmp_path: Path) -> None:
    folder, gate = gated(tmp_path, 'return Response(wait_at(settings["gate"]) or "x" for _ in "1")')
    with gate:
        client = load_plugin(folder, timeout=1)
        answers = [client.get("/") for _ in range(32)]
        with pytest.raises(AssertionError, match="for a free place: close the responses that are open"):
            client.get("/")
        gate.open()
        answers.append(client.get("/"))
        gate.open(32)
        assert [answer.text for answer in answers] == ["x"] * 33


# Failures


def test_an_exception_is_a_500_with_its_traceback(load_plugin: PluginLoader, tmp_path: Path) -> None:
    client = load_plugin(probe(tmp_path, 'raise KeyError("the cause")'))
    answer = client.get("/")
    assert (answer.status_code, answer.get_json()["code"]) == (500, "plugin_exception")
    assert "KeyError: 'the cause'" in answer.get_json()["traceback"]
    assert "KeyError: 'the cause'" in client.log()


def test_what_is_no_response_is_a_500_that_says_so(load_plugin: PluginLoader, tmp_path: Path) -> None:
    answer = load_plugin(probe(tmp_path, 'return "text"')).get("/").get_json()
    assert (answer["code"], "_invoke returned a str" in answer["traceback"]) == ("bad_answer", True)


def test_an_answer_that_breaks_off_is_not_whole(load_plugin: PluginLoader, tmp_path: Path) -> None:
    folder, gate = gated(
        tmp_path, 'return Response(f() for f in (lambda: "a", lambda: wait_at(settings["gate"]) or 1 / 0))'
    )
    with gate:
        answer = load_plugin(folder).get("/")
        gate.open()
        with pytest.raises(AnswerBroken, match="ZeroDivisionError"):
            answer.get_data()


@pytest.mark.parametrize(("length", "how"), [(2, "longer"), (4, "shorter")])
def test_a_length_that_does_not_fit_is_told(load_plugin: PluginLoader, tmp_path: Path, length: int, how: str) -> None:
    headers = f'headers={{"Content-Length": "{length}"}}'
    folder, gate = gated(tmp_path, f'return Response((wait_at(settings["gate"]) or "abc" for _ in "1"), {headers})')
    with gate:
        answer = load_plugin(folder).get("/")
        gate.open()
        with pytest.raises(AnswerBroken, match=f"{how} than its Content-Length"):
            answer.get_data()


class WholeAnswer:
    """An exchange whose answer came as one message: whether a worker sends it so is a matter of time."""

    def __init__(self, *headers: tuple[bytes, bytes]) -> None:
        self.cancelled = False
        self._answer = Response(1, 200, headers, End.STREAM, b"abc")

    async def next(self) -> Response:
        return self._answer

    def cancel(self, _reason: str) -> None:
        self.cancelled = True


@pytest.mark.parametrize("header", [(b"Content-Length", b"4"), (b"X-Two", b"line\n")])
def test_a_head_that_cannot_be_sent_is_a_500(header: tuple[bytes, bytes]) -> None:
    exchange = WholeAnswer(header)
    with pytest.raises(Problem) as caught:
        asyncio.run(Relay(cast("Exchange", exchange), "GET", "test/probe").head())
    assert (caught.value.status, caught.value.code, exchange.cancelled) == (500, "bad_answer", True)


def test_a_worker_that_dies_is_a_502_and_stays_one(load_plugin: PluginLoader, tmp_path: Path) -> None:
    client = load_plugin(probe(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)"))
    first, second = client.get("/"), client.get("/")
    assert (first.status_code, first.get_json()["code"]) == (502, "worker_gone")
    assert second.status_code == 502
    assert "was killed by SIGKILL" in second.get_json()["detail"]


def test_a_worker_that_dies_in_its_answer_breaks_it(load_plugin: PluginLoader, tmp_path: Path) -> None:
    folder, gate = gated(
        tmp_path, 'return Response(f() for f in (lambda: "a", lambda: wait_at(settings["gate"]) or os._exit(1)))'
    )
    with gate:
        answer = load_plugin(folder).get("/")
        gate.open()
        with pytest.raises(AnswerBroken, match="went away in the middle of its answer"):
            answer.get_data()


def test_what_the_plugin_tells_is_kept_in_order(load_plugin: PluginLoader, tmp_path: Path) -> None:
    client = load_plugin(probe(tmp_path, 'print("printed")\nlog.info("logged %d", 1)\nreturn Response()'))
    client.get("/")
    assert "INFO probe: logged 1" in client.log().splitlines(), "it was sent before the answer"
    assert client.wait_for_log("printed") == "printed"


def test_a_failed_test_shows_what_the_plugin_told(tmp_path: Path) -> None:
    folder = probe(tmp_path, 'log.info("on the way")\nraise KeyError("the cause")')
    test = "def test_it(load_plugin):\n    assert load_plugin().get('/').status_code == 200\n"
    (folder / "test_probe.py").write_text(test)
    done = run_pytest(folder)
    assert done.returncode == 1
    _, _, section = done.stdout.partition("- Log of test/probe -")
    assert "INFO probe: on the way" in section
    assert "KeyError: 'the cause'" in section


def test_a_test_that_passes_shows_nothing(tmp_path: Path) -> None:
    folder = probe(tmp_path, 'log.info("on the way")\nreturn Response()')
    (folder / "test_probe.py").write_text("def test_it(load_plugin):\n    load_plugin().get('/')\n")
    done = run_pytest(folder, "-rA")
    assert (done.returncode, "Log of" in done.stdout) == (0, False)


def run_pytest(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


# The end


def test_all_workers_are_ended_in_the_end(loader: PluginLoader) -> None:
    clients = [loader(EXAMPLES / "duck"), loader(EXAMPLES / "echo")]
    pids = [client.pid for client in clients]
    assert len(threads()) == 2
    loader.stop_all()
    assert all(map(is_gone, pids))
    assert not threads()


def test_an_open_stream_is_cancelled_in_the_end(loader: PluginLoader, tmp_path: Path) -> None:
    body = """\
def pieces():
    try:
        while True:
            yield "again"
    finally:
        tell(settings["gate"])
return Response(pieces())"""
    folder, gate = gated(tmp_path, body)
    with gate:
        client = loader(folder)
        # Its generator has begun: one that has not is closed without being run.
        next(iter(client.get("/").response))
        pid = client.pid
        loader.stop_all()
        gate.wait()
        assert is_gone(pid)


def test_a_plugin_that_does_not_end_is_killed(loader: PluginLoader, tmp_path: Path) -> None:
    body = 'yielded = iter(lambda: wait_at(settings["gate"]) or "x", "")\nreturn Response(yielded)'
    folder, gate = gated(tmp_path, body)
    with gate:
        gate.open()
        client = loader(folder)
        answer = client.get("/")
        pid = client.pid
        client.stop()
        assert is_gone(pid)
        with pytest.raises(AssertionError, match="the worker of test/probe was ended"):
            answer.get_data()


def test_a_client_that_was_stopped_says_so(loader: PluginLoader) -> None:
    client = loader(EXAMPLES / "duck")
    client.stop()
    client.stop()
    with pytest.raises(AssertionError, match="the worker of endpointd/duck was ended"):
        client.get("/duck/x")
    with pytest.raises(AssertionError, match="no 'never said' in the log"):
        client.wait_for_log("never said", timeout=100)
