"""The direct path says what the general path says, byte for byte, and hears what that hears.

Of two daemons one has the general path alone, so that the difference shows, if there is any.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from endpointd.testing import DaemonStarter, RunningDaemon
from support.catalogue import write_catalogue
from support.gates import Gate
from support.raw_http import Client, ask, plain

MakeGate = Callable[[str], Gate]

CHANGING = re.compile(rb'date: [^\r]+|"request_id": "[^"]+"|content-length: \d+\r\ncache-control')
"""What no two answers have in common. The length of a problem is that of its request's id."""

WHOLE_BODY = 150_000
"""Bytes: no more than the host reads at once."""

TARGETS = [
    *(f"/e/lab/answer/{name}" for name in ("cookies", "repeated", "latin", "empty", "nothing-yielded", "list", "file")),
    *(f"/e/lab/answer/{name}" for name in ("relative", "absolute", "no-content", "not-modified")),
    *(f"/e/lab/answer/status?line={line}" for line in ("200", "418", "599%20Own%20Words", "204", "304", "205")),
    *(f"/e/lab/answer/headers?{name}" for name in ("Date=today", "Connection=close", "Content-Length=10", "X=1&X=2")),
    *(f"/e/lab/answer/headers?Content-Length={length}" for length in ("9", "11", "x", "")),
    "/e/lab/answer/injected?name=X-A&value=a%0d%0ab",
    "/e/lab/answer/injected?name=Transfer-Encoding&value=gzip",
    *(f"/e/lab/failure/{name}" for name in ("exception", "str", "coroutine", "none")),
    "/e/lab/none",
    "/e/lab/only/put",
    "/e/lab/slash",
    "/e/lab",
    "/e/nobody/",
    "/",
]


@pytest.fixture(scope="module")
def general(start: DaemonStarter, plugins: Path, tmp_path_factory: pytest.TempPathFactory) -> RunningDaemon:
    """A daemon whose direct path takes nothing: Python imports this module before all others."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "sitecustomize.py").write_text(
        "from endpointd.gateway.direct import DirectPath\nDirectPath.begin = lambda *_: False\n"
    )
    return start(plugins, env={"PYTHONPATH": str(folder)})


def all_that_comes(url: str, *requests: bytes) -> bytes:
    """The answers to `requests`, which are sent together; the last one asks for the end of the connection."""
    with Client(url) as client:
        client.send(*requests)
        return CHANGING.sub(b"", b"".join(client.everything()))


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("target", TARGETS)
def test_answers_are_the_same(daemon: RunningDaemon, general: RunningDaemon, target: str, method: str) -> None:
    body = b"0123456789" if method == "POST" else None
    kept = plain(target, method=method, body=body)
    last = plain(target, "Connection: close", method=method, body=body)
    # On a busy machine a quick answer can be a slow one, whose head leaves alone; what is wrong with the rest of it is
    # then told otherwise. Three times in a row that does not happen.
    for _ in range(3):
        answers = all_that_comes(daemon.url, kept, kept, last)
        assert answers.count(b"HTTP/1.1 ") >= 1
        others = all_that_comes(general.url, kept, kept, last)
        if answers == others:
            break
    assert answers == others


@pytest.mark.parametrize("name", ["iterator", "class", "empty-pieces", "wrapped", "large", "from-app"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_so_are_those_that_may_come_in_pieces(
    daemon: RunningDaemon, general: RunningDaemon, name: str, method: str
) -> None:
    ours, theirs = (ask(each.url, f"/e/lab/answer/{name}", method=method) for each in (daemon, general))
    assert [header for header in ours.headers if header[0] != b"date"] == [
        header for header in theirs.headers if header[0] != b"date"
    ]
    assert (ours.status, ours.body) == (theirs.status, theirs.body)


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /e/lab/answer/list HTTP/1.0\r\n\r\n",
        b"GET /e/lab/answer/empty HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        plain("/e/lab/answer/list", "Upgrade: h2c", "Connection: Upgrade, close"),
        plain("/e/lab/answer/list", "Expect: 100-continue", "Connection: close", method="POST", body=b"x"),
        plain("/e/lab/answer/list", "Connection: close", "Transfer-Encoding: chunked", method="POST") + b"0\r\n\r\n",
        plain("/e/lab/answer/list") + b"NONSENSE\r\n\r\n",
        plain("/e/lab/answer/list", "Content-Length: 5", "Transfer-Encoding: chunked", method="POST"),
    ],
)
def test_so_are_those_to_unusual_requests(daemon: RunningDaemon, general: RunningDaemon, request_: bytes) -> None:
    answer = all_that_comes(daemon.url, request_)
    assert answer
    assert answer == all_that_comes(general.url, request_)


def test_a_body_that_came_with_its_head_arrives(url: str) -> None:
    for size in (0, 1, 1000, WHOLE_BODY, 2 * WHOLE_BODY):
        answer = ask(url, "/e/lab/saw", method="POST", body=b"x" * size)
        assert answer.json()["body"] == "x" * size


def test_one_that_is_under_way_when_the_drain_clock_runs_out_is_broken_off(
    start: DaemonStarter, tmp_path: Path, make_gate: MakeGate
) -> None:
    daemon = start(write_catalogue(tmp_path / "plugins", "waits"), clock_drain=0.3, clock_kill=0.3)
    gate, arrived = make_gate("gate"), make_gate("arrived")
    with Client(daemon.url) as client:
        client.send(plain(f"/e/waits/?gate={gate.path}&arrived={arrived.path}"))
        arrived.wait()
        daemon.process.terminate()
        assert client.ends()
        assert daemon.process.wait(10) == 0
