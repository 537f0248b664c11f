"""Whoever lets others wait too long is told which clock has run out, or is cut off; nobody else is.

Where a test lets time pass, the passing of time is what it tests.
"""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from endpointd.testing import DaemonStarter, RunningDaemon
from support.gates import Gate
from support.plugins import write_plugin
from support.raw_http import Broken, Client, ask, plain

MakeGate = Callable[[str], Gate]

SHORT = 0.6
"""Seconds after which the clocks under test run out."""

LONG = 3 * SHORT
PACE = SHORT / 10

PLUGINS = {
    "byte": {"clock_first_byte": SHORT},
    "idle": {"clock_idle": SHORT},
    "total": {"clock_total": SHORT},
    "client": {"clock_client_idle": SHORT},
    "queue": {"clock_queue": SHORT, "concurrency": 1, "queue_size": 1},
}
"""Plugins whose interfaces are the same, each with limits of its own."""

SOURCES = Path(__file__).parent / "sources"


@pytest.fixture(scope="module")
def hurried(start: DaemonStarter, tmp_path_factory: pytest.TempPathFactory) -> RunningDaemon:
    folder = tmp_path_factory.mktemp("hurried")
    names = ("saw.py", "streams.py")
    sources = {name: (SOURCES / name).read_text() for name in names}
    interfaces = [
        (method, path, source)
        for method in ("GET", "POST")
        for path, source in (("/saw", "saw.py"), ("/stream/<name>", "streams.py"))
    ]
    for name in PLUGINS:
        write_plugin(folder, name, sources, interfaces)
    config = tmp_path_factory.mktemp("config") / "endpointd.toml"
    tables = [f'[plugin."test/{name}"]\n' + _lines(limits) for name, limits in PLUGINS.items()]
    config.write_text("\n".join(tables))
    return start(folder, config=config, clock_header=SHORT, clock_keep_alive=LONG)


def _lines(values: dict[str, float]) -> str:
    return "".join(f"{key} = {value}\n" for key, value in values.items())


@pytest.fixture
def url(hurried: RunningDaemon) -> str:
    return hurried.url


@pytest.fixture
def gate(make_gate: MakeGate) -> Gate:
    """One that stays shut until the test is over."""
    return make_gate("gate")


def stream(plugin: str, name: str, **words: object) -> str:
    return f"/e/{plugin}/stream/{name}?" + urlencode(
        {key: value.path if isinstance(value, Gate) else value for key, value in words.items()}
    )


def paced(seconds: float) -> Iterator[None]:
    """Turns with pauses between them that are far shorter than the clocks, for so many seconds altogether."""
    never = threading.Event()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        never.wait(PACE)


def go_on(client: Client, data: bytes) -> None:
    """Send the same again and again, for far longer than any clock allows."""
    for _ in paced(10 * LONG):
        client.send(data)


# The plugin's time


def test_a_plugin_that_does_not_begin_to_answer_is_given_up(url: str, gate: Gate) -> None:
    with Client(url) as client:
        answer = client.request(stream("byte", "waiting", gate=gate))
        assert (answer.status, answer.code) == (504, "clock_first_byte")
        assert answer.json()["plugin"] == "test/byte"
        assert client.request("/e/byte/saw").status == 200


def test_the_time_to_begin_does_not_run_while_the_client_sends(url: str) -> None:
    """The plugin cannot answer before it has the body."""
    with Client(url) as client:
        client.send(plain("/e/byte/saw", "Transfer-Encoding: chunked", method="POST"))
        turns = 0
        for _ in paced(LONG):
            client.send(b"1\r\n.\r\n")
            turns += 1
        client.send(b"0\r\n\r\n")
        assert client.read().json()["body"] == "." * turns


def test_a_plugin_that_pauses_in_its_answer_is_given_up(hurried: RunningDaemon, gate: Gate) -> None:
    with Client(hurried.url) as client:
        client.send(plain(stream("idle", "gated", gate=gate)))
        pieces = client.pieces(client.read_head())
        assert next(pieces) == b"first"
        with pytest.raises(Broken):
            list(pieces)
    hurried.wait_for_log("clock_idle")


@pytest.mark.parametrize("piece", [b"1\r\n.\r\n", b""], ids=["slow", "silent"])
def test_the_time_between_two_pieces_does_not_run_while_the_client_sends(url: str, piece: bytes) -> None:
    """The plugin has begun to answer, and reads on."""
    with Client(url) as client:
        client.send(plain(stream("idle", "received"), "Transfer-Encoding: chunked", method="POST"), b"1\r\n.\r\n")
        pieces = client.pieces(client.read_head())
        assert next(pieces) == b"first"
        size = 1
        for _ in paced(LONG):
            client.send(piece)
            size += bool(piece)
        client.send(b"0\r\n\r\n")
        assert list(pieces) == [str(size).encode()]


def test_a_plugin_that_pauses_in_its_answer_and_takes_nothing_is_given_up_though_the_client_sends(
    url: str, gate: Gate
) -> None:
    size = 64 * 1024
    with Client(url) as client:
        client.send(plain(stream("idle", "gated", gate=gate), "Content-Length: 100000000", method="POST"), bytes(size))
        assert next(client.pieces(client.read_head())) == b"first"
        with pytest.raises(ConnectionError):
            go_on(client, bytes(size))


def test_a_plugin_that_takes_too_long_altogether_is_given_up(url: str, gate: Gate) -> None:
    with Client(url) as client:
        answer = client.request(stream("total", "waiting", gate=gate))
        assert (answer.status, answer.code) == (504, "clock_total")
        assert client.request("/e/total/saw").status == 200


def test_an_answer_that_takes_too_long_altogether_is_broken_off(hurried: RunningDaemon, make_gate: MakeGate) -> None:
    ended = make_gate("ended")
    with Client(hurried.url) as client:
        client.send(plain(stream("total", "endless", ended=ended)))
        with pytest.raises(Broken):
            for _ in client.pieces(client.read_head()):
                pass
    assert ended.wait() == b"g"
    hurried.wait_for_log("clock_total")


def test_a_request_that_finds_no_place_is_sent_away(url: str, make_gate: MakeGate) -> None:
    """One runs, one waits in the queue, for one there is not even room in the queue."""
    gate, entered = make_gate("gate"), make_gate("entered")
    with Client(url) as first, Client(url) as second, Client(url) as third:
        first.send(plain(stream("queue", "waiting", gate=gate, entered=entered)))
        assert entered.wait() == b"e"
        for client in (second, third):
            client.send(plain("/e/queue/saw"))
        answers = [client.read() for client in (second, third)]
        assert {(answer.status, answer.code) for answer in answers} == {(504, "clock_queue"), (503, "queue_full")}
        assert all(int(answer.one("retry-after") or 0) >= 1 for answer in answers)
        gate.open()
        assert first.read().body == b"passed"
        assert second.request("/e/queue/saw").status == 200


# The client's time


def test_a_client_that_stops_sending_its_body_is_told(url: str) -> None:
    for framing in ("Transfer-Encoding: chunked", "Content-Length: 100"):
        with Client(url) as client:
            client.send(plain("/e/client/saw", framing, method="POST"), b"5\r\nhello\r\n")
            answer = client.read()
            assert (answer.status, answer.code) == (408, "clock_client_idle")


def test_a_client_that_never_begins_its_body_is_told(url: str) -> None:
    with Client(url) as client:
        client.send(plain("/e/client/saw", "Content-Length: 100", method="POST"))
        assert client.read().code == "clock_client_idle"


def test_a_client_that_sends_slowly_but_steadily_is_waited_for(url: str) -> None:
    with Client(url) as client:
        client.send(plain("/e/client/saw", "Transfer-Encoding: chunked", method="POST"))
        turns = 0
        for _ in paced(LONG):
            client.send(b"1\r\n.\r\n")
            turns += 1
        client.send(b"0\r\n\r\n")
        assert client.read().json()["body"] == "." * turns


def test_a_client_that_stops_reading_is_cut_off(hurried: RunningDaemon, make_gate: MakeGate) -> None:
    told = make_gate("told")
    with Client(hurried.url, receive_buffer=4096) as client:
        client.send(plain(stream("client", "large", size=50_000_000, told=told)))
        head = client.read_head()
        assert told.wait() == b"c"
        with pytest.raises(Broken):
            list(client.pieces(head))
    hurried.wait_for_log("clock_client_idle")


def test_a_client_that_stops_reading_between_two_answers_is_cut_off(
    hurried: RunningDaemon, make_gate: MakeGate
) -> None:
    """What it does not take are whole answers; the next one has not begun, and holds a place."""
    told = make_gate("told")
    targets = [stream("client", "whole", size=250_000)] * 30 + [stream("client", "endless", told=told)]
    with Client(hurried.url, receive_buffer=4096) as client:
        client.send(*map(plain, targets))
        assert client.is_cut_off()
    assert told.is_silent(), "all was taken, and nothing was tested"


def test_a_client_that_reads_slowly_but_steadily_is_not_cut_off(url: str, make_gate: MakeGate) -> None:
    told = make_gate("told")
    size = 50_000_000
    with Client(url, receive_buffer=65536) as client:
        client.send(plain(stream("client", "large", size=size, told=told)))
        pieces = client.pieces(client.read_head())
        read = sum(len(next(pieces)) for _ in paced(LONG))
        assert told.is_silent(), "all was sent at once, and nothing was tested"
        assert read + sum(map(len, pieces)) == size
    assert told.wait() == b"c"


# The time for a head, and between requests

HEADS = {"a part of the line": b"GET /e/by", "a part of the head": plain("/e/byte/saw")[:-2]}


@pytest.mark.parametrize("before", [0, 1], ids=["first", "second"])
@pytest.mark.parametrize("name", HEADS)
def test_a_head_that_does_not_end_is_given_up(url: str, name: str, before: int) -> None:
    with Client(url) as client:
        for _ in range(before):
            assert client.request("/e/byte/saw").status == 200
        client.send(HEADS[name])
        answer = client.read()
        assert (answer.status, answer.code, answer.closes) == (408, "clock_header", True)
        assert client.ends()


def test_a_head_that_comes_in_drops_is_given_up_all_the_same(url: str) -> None:
    with Client(url) as client:
        client.send(plain("/e/byte/saw")[:-2])
        with pytest.raises(ConnectionError):
            go_on(client, b"X-A: b\r\n")


def test_a_connection_on_which_nothing_comes_is_closed(url: str) -> None:
    with Client(url) as client:
        assert client.ends()


@pytest.mark.parametrize("said", [b"", b"\r\n"], ids=["silent", "white space"])
def test_a_connection_on_which_nothing_more_comes_is_closed(url: str, said: bytes) -> None:
    with Client(url) as client:
        assert client.request("/e/byte/saw").status == 200
        client.send(said)
        assert client.ends()


def test_a_connection_whose_request_was_answered_before_its_body_had_come_is_closed(url: str) -> None:
    with Client(url) as client:
        client.send(plain("/e/byte/none", "Content-Length: 5", method="POST"))
        assert client.read().status == 404
        client.send(b"hello")
        assert client.ends()


def test_a_connection_without_a_clock_stays_open(start: DaemonStarter, plugins: Path) -> None:
    url = start(plugins, clock_keep_alive=0).url
    with Client(url) as client:
        for _ in range(3):
            assert client.request("/e/lab/saw").status == 200
            # The daemon has had its turn to close it.
            assert ask(url, "/e/lab/saw").status == 200


def test_a_request_that_is_begun_ahead_has_its_time_when_its_turn_comes(url: str, make_gate: MakeGate) -> None:
    """The head of the second one is not late while the first one is being answered."""
    gate = make_gate("gate")
    with Client(url) as client:
        client.send(plain(stream("client", "gated", gate=gate)), HEADS["a part of the head"])
        pieces = client.pieces(client.read_head())
        assert next(pieces) == b"first"
        for _ in paced(LONG):
            assert ask(url, "/e/byte/saw").status == 200
        gate.open(times=2)
        assert b"".join(pieces) == b"secondthird"
        client.send(b"\r\n")
        assert client.read().status == 200
