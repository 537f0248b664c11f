"""Requests that are none. Each is refused or ends in a closed connection, reaches no plugin twice, and harms nobody."""

from collections import Counter
from collections.abc import Callable

import pytest

from endpointd.testing import RunningDaemon
from support.gates import Gate
from support.raw_http import Answer, Broken, Client, ask, plain

MakeGate = Callable[[str], Gate]

HIT = b"POST /e/lab/hits/once HTTP/1.1\r\nHost: h\r\n"
HIDDEN = b"GET /e/lab/hits/hidden HTTP/1.1\r\nHost: h\r\n\r\n"
"""A request that stands where only the body of another one may be."""

CHUNKED = b"Transfer-Encoding: chunked\r\n"
UPGRADE = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
IN_ONE_CHUNK = b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)

REQUEST_LINES = {
    "no version": b"GET /e/lab/hits/once\r\n\r\n",
    "no target": b"GET HTTP/1.1\r\nHost: h\r\n\r\n",
    "no method": b" /e/lab/hits/once HTTP/1.1\r\nHost: h\r\n\r\n",
    "unknown method": b"BREW /e/lab/hits/once HTTP/1.1\r\nHost: h\r\n\r\n",
    "method in lower case": b"get /e/lab/hits/once HTTP/1.1\r\nHost: h\r\n\r\n",
    "method with a NUL": b"GE\0T /e/lab/hits/once HTTP/1.1\r\nHost: h\r\n\r\n",
    "target without a slash": b"GET e/lab/hits/once HTTP/1.1\r\nHost: h\r\n\r\n",
    "target with a space": b"GET /e/lab/hits/on ce HTTP/1.1\r\nHost: h\r\n\r\n",
    "target with a tab": b"GET /e/lab/hits/on\tce HTTP/1.1\r\nHost: h\r\n\r\n",
    "target with a NUL": b"GET /e/lab/hits/on\0ce HTTP/1.1\r\nHost: h\r\n\r\n",
    "target with a control": b"GET /e/lab/hits/on\x01ce HTTP/1.1\r\nHost: h\r\n\r\n",
    "target with a lone CR": b"GET /e/lab/hits/on\rce HTTP/1.1\r\nHost: h\r\n\r\n",
    "target with raw bytes": b"GET /e/lab/none/\xff\xfe HTTP/1.1\r\nHost: h\r\n\r\n",
    "tab between": b"GET\t/e/lab/hits/once\tHTTP/1.1\r\nHost: h\r\n\r\n",
    "version 0.9": b"GET /e/lab/hits/once HTTP/0.9\r\nHost: h\r\n\r\n",
    "version 1.2": b"GET /e/lab/hits/once HTTP/1.2\r\nHost: h\r\n\r\n",
    "version 2.0": b"GET /e/lab/hits/once HTTP/2.0\r\nHost: h\r\n\r\n",
    "version 11": b"GET /e/lab/hits/once HTTP/11\r\nHost: h\r\n\r\n",
    "version in lower case": b"GET /e/lab/hits/once http/1.1\r\nHost: h\r\n\r\n",
    "another protocol": b"GET /e/lab/hits/once RTSP/1.0\r\nHost: h\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04\0\0\0\0\0",
    "TLS client hello": b"\x16\x03\x01\x00\xc4\x01\x00\x00\xc0\x03\x03" + bytes(range(64)) * 3,
    "SSH banner": b"SSH-2.0-OpenSSH_9.6\r\n",
    "NUL bytes": b"\0" * 100,
    "a response": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "a line of text": b"hello, is anybody there?\r\n\r\n",
    "CONNECT": b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n",
    "CONNECT to a path": b"CONNECT /e/lab/hits/once HTTP/1.1\r\nHost: h\r\n\r\n",
    "OPTIONS *": b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET *": b"GET * HTTP/1.1\r\nHost: h\r\n\r\n",
    "absolute without a host": b"GET http:///e/lab/none HTTP/1.1\r\nHost: h\r\n\r\n",
    "absolute without a path": b"GET http://h HTTP/1.1\r\nHost: h\r\n\r\n",
    "absolute with a bad port": b"GET http://h:port/e/lab/none HTTP/1.1\r\nHost: h\r\n\r\n",
    "absolute with a huge port": b"GET http://h:99999999/e/lab/none HTTP/1.1\r\nHost: h\r\n\r\n",
    "absolute with another scheme": b"GET gopher://h/e/lab/none HTTP/1.1\r\nHost: h\r\n\r\n",
    "target of a fragment": b"GET # HTTP/1.1\r\nHost: h\r\n\r\n",
    "target of a query": b"GET ?a=b HTTP/1.1\r\nHost: h\r\n\r\n",
}

HEADERS = {
    "no Host": b"GET /e/lab/hits/once HTTP/1.1\r\n\r\n",
    "two Hosts": HIT + b"Host: other\r\n\r\n",
    "space before the colon": HIT + b"X-A : b\r\n\r\n",
    "space in a name": HIT + b"X A: b\r\n\r\n",
    "control in a name": HIT + b"X\x01A: b\r\n\r\n",
    "bytes in a name": HIT + b"X-\xe9: b\r\n\r\n",
    "empty name": HIT + b": b\r\n\r\n",
    "no colon": HIT + b"X-A\r\n\r\n",
    "folded line": HIT + b"X-A: b\r\n c\r\n\r\n",
    "folded first line": b"GET /e/lab/hits/once HTTP/1.1\r\n X-A: b\r\nHost: h\r\n\r\n",
    "folded length": HIT + b"Content-Length:\r\n 0\r\n\r\n",
    "NUL in a value": HIT + b"X-A: b\0c\r\n\r\n",
    "control in a value": HIT + b"X-A: b\x08c\r\n\r\n",
    "lone CR in a value": HIT + b"X-A: b\rX-B: c\r\n\r\n",
    "lone CRs": b"GET /e/lab/hits/once HTTP/1.1\rHost: h\r\r",
    "bare LFs": b"GET /e/lab/hits/once HTTP/1.1\nHost: h\n\n",
    "bare LF in the head": b"GET /e/lab/hits/once HTTP/1.1\r\nHost: h\nX-A: b\r\n\r\n",
    "bare LF at the end of the head": b"GET /e/lab/hits/once HTTP/1.1\r\nHost: h\r\n\n",
}

LENGTHS = {
    "length and chunks": HIT + b"Content-Length: 5\r\n" + CHUNKED + b"\r\n0\r\n\r\n" + HIDDEN,
    "chunks and length": HIT + CHUNKED + b"Content-Length: 5\r\n\r\n0\r\n\r\n" + HIDDEN,
    "two lengths": HIT + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN,
    "two lengths in one": HIT + b"Content-Length: 0, %d\r\n\r\n" % len(HIDDEN) + HIDDEN,
    "the same length twice": HIT + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
    "negative length": HIT + b"Content-Length: -1\r\n\r\n" + HIDDEN,
    "signed length": HIT + b"Content-Length: +1\r\n\r\na" + HIDDEN,
    "empty length": HIT + b"Content-Length:\r\n\r\n" + HIDDEN,
    "length of words": HIT + b"Content-Length: five\r\n\r\n" + HIDDEN,
    "hexadecimal length": HIT + b"Content-Length: 0x5\r\n\r\n" + HIDDEN,
    "length with a space": HIT + b"Content-Length: 1 0\r\n\r\n" + HIDDEN,
    "huge length": HIT + b"Content-Length: 99999999999999999999999999\r\n\r\n" + HIDDEN,
    "length that wraps around": HIT + b"Content-Length: 18446744073709551616\r\n\r\n" + HIDDEN,
    "length name with a space": HIT + b"Content-Length : %d\r\n\r\n" % len(HIDDEN) + HIDDEN,
    "length with a control": HIT + b"Content-Length: \x0b5\r\n\r\n" + HIDDEN,
}

CODINGS = {
    "unknown coding": HIT + b"Transfer-Encoding: cow\r\n\r\n" + HIDDEN,
    "coding that is not the last": HIT + b"Transfer-Encoding: chunked, gzip\r\n\r\n" + IN_ONE_CHUNK,
    "coding identity": HIT + b"Transfer-Encoding: identity\r\nContent-Length: 0\r\n\r\n" + HIDDEN,
    "coding with a control": HIT + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + IN_ONE_CHUNK,
    "coding twice": HIT + CHUNKED + CHUNKED + b"\r\n" + IN_ONE_CHUNK,
    "coding then another": HIT + CHUNKED + b"Transfer-Encoding: cow\r\n\r\n" + IN_ONE_CHUNK,
    "coding with quotes": HIT + b'Transfer-Encoding: "chunked"\r\n\r\n' + IN_ONE_CHUNK,
    "coding in HTTP/1.0": b"POST /e/lab/hits/once HTTP/1.0\r\n" + CHUNKED + b"\r\n" + IN_ONE_CHUNK,
    "coding name with a space": HIT + b"Transfer-Encoding : chunked\r\n\r\n" + IN_ONE_CHUNK,
}

CHUNKS = {
    "no size": b"\r\nabc\r\n0\r\n\r\n",
    "size of words": b"xyz\r\nabc\r\n0\r\n\r\n",
    "negative size": b"-3\r\nabc\r\n0\r\n\r\n",
    "signed size": b"+3\r\nabc\r\n0\r\n\r\n",
    "size with a prefix": b"0x3\r\nabc\r\n0\r\n\r\n",
    "size with a space before": b" 3\r\nabc\r\n0\r\n\r\n",
    "size with an underscore": b"1_0\r\n0123456789abcdef\r\n0\r\n\r\n",
    "huge size": b"fffffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "size that wraps around": b"10000000000000003\r\nabc\r\n0\r\n\r\n",
    "longer than its size": b"3\r\nabcdef\r\n0\r\n\r\n",
    "shorter than its size": b"5\r\nabc\r\n0\r\n\r\n",
    "ended by a bare LF": b"3\r\nabc\n0\r\n\r\n",
    "size ended by a bare LF": b"3\nabc\r\n0\r\n\r\n",
    "size ended by a lone CR": b"3\rabc\r\n0\r\n\r\n",
    "bare LF in an extension": b"3;a\nb\r\nabc\r\n0\r\n\r\n",
    "control in an extension": b"3;a\0b\r\nabc\r\n0\r\n\r\n",
    "bad trailer": b"3\r\nabc\r\n0\r\nX A: b\r\n\r\n",
    "length as a trailer": b"3\r\nabc\r\n0\r\nContent-Length: 3\r\n\r\n",
    "coding as a trailer": b"3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
}

BODIES = {
    **LENGTHS,
    **CODINGS,
    **{f"chunk: {name}": HIT + CHUNKED + b"\r\n" + body + HIDDEN for name, body in CHUNKS.items()},
}

CORPUS: dict[str, bytes] = {
    **REQUEST_LINES,
    **HEADERS,
    **BODIES,
    **{f"upgrade: {name}": data.replace(HIT, HIT + UPGRADE) for name, data in BODIES.items() if HIT in data},
}

TOLERATED = {
    "another protocol": "the parser does not tell HTTP/1.0 from RTSP/1.0; it is answered as the former, and closed",
    "coding in HTTP/1.0": "RFC 9112 §6.1 lets it be processed if the connection is closed, as it is in HTTP/1.0 anyway",
}
"""Requests that are answered all the same, once, and why that harms nobody."""


def send(client: Client, data: bytes, *, bytewise: bool) -> None:
    try:
        (client.send_bytewise if bytewise else client.send)(data)
    except ConnectionError:
        # The server has closed before it has seen all, which is what it may do.
        return


def answers_of(client: Client) -> list[Answer]:
    """Every answer until the server closes the connection.

    Where it stays open after an answer it has to be in order: another request is made on it.
    """
    answers: list[Answer] = []
    try:
        while not client.ends():
            answers.append(client.read())
            if not answers[-1].closes:
                last = client.request("/e/lab/saw/after", "Connection: close")
                assert last.json()["values"] == {"rest": "after"}
    except Broken:
        return answers
    return answers


def hits(daemon: RunningDaemon) -> Counter[str]:
    """The requests that have reached the plugin. It answers, so that nothing has harmed it."""
    return Counter(ask(daemon.url, "/e/lab/hits").json())


@pytest.mark.parametrize("bytewise", [False, True], ids=["at once", "bytewise"])
@pytest.mark.parametrize("name", CORPUS)
def test_a_request_that_is_none_is_refused(daemon: RunningDaemon, name: str, bytewise: bool) -> None:
    before, logged = hits(daemon), len(daemon.events())
    with Client(daemon.url) as client:
        send(client, CORPUS[name], bytewise=bytewise)
        answers = answers_of(client)
    reached = hits(daemon) - before
    if name in TOLERATED:
        assert ([answer.status for answer in answers], dict(reached)) == ([200], {"once": 1})
        assert answers[0].closes
    else:
        assert len(answers) <= 1
        assert all(400 <= answer.status < 500 and answer.code for answer in answers)
        assert not reached
    assert not [event for event in daemon.events()[logged:] if event.get("level") in ("error", "critical")]


def test_the_corpus_is_large() -> None:
    assert len(CORPUS) >= 90


@pytest.mark.parametrize(
    "codings", [["Transfer-Encoding: gzip, chunked"], ["Transfer-Encoding: gzip", "Transfer-Encoding: chunked"]]
)
def test_a_coding_that_nobody_understands_is_not_passed_on(url: str, codings: list[str]) -> None:
    with Client(url) as client:
        client.send(plain("/e/lab/saw", *codings, method="POST"), b"3\r\nabc\r\n0\r\n\r\n")
        answer = client.read()
        assert (answer.status, answer.code) == (501, "coding_unknown")
        assert client.request("/e/lab/saw").status == 200


def test_what_comes_before_nonsense_is_answered(url: str) -> None:
    with Client(url) as client:
        client.send(plain("/e/lab/saw/1"), plain("/e/lab/saw/2"), b"nonsense\r\n\r\n", plain("/e/lab/saw/3"))
        assert [client.read().json()["values"]["rest"] for _ in range(2)] == ["1", "2"]
        assert client.ends()


def test_what_comes_before_a_body_of_nonsense_is_answered_first(daemon: RunningDaemon, make_gate: MakeGate) -> None:
    gate, before = make_gate("gate"), hits(daemon)
    ahead = plain(f"/e/lab/stream/waiting?gate={gate.path}"), plain("/e/lab/saw/2")
    with Client(daemon.url) as client:
        client.send(*ahead, HIT, CHUNKED, b"\r\n3\r\nabc\r\nnonsense\r\n", HIDDEN)
        gate.open()
        assert client.read().body == b"passed"
        assert client.read().json()["values"] == {"rest": "2"}
        answer = client.read()
        assert (answer.code, answer.closes) == ("request_malformed", True)
        assert client.ends()
    assert not hits(daemon) - before


@pytest.mark.parametrize("nonsense", [b"nonsense\r\n", b"nonsense" * 12_000], ids=["a line", "more than a head may be"])
def test_an_answer_that_has_begun_goes_on_when_a_body_of_nonsense_comes(
    url: str, make_gate: MakeGate, nonsense: bytes
) -> None:
    gate = make_gate("gate")
    with Client(url) as client:
        # While there is one ahead of another, nothing is read.
        gated = plain(f"/e/lab/stream/gated?gate={gate.path}")
        client.send(gated, gated, HIT, CHUNKED, b"\r\n")
        pieces = client.pieces(client.read_head())
        assert next(pieces) == b"first"
        client.send(nonsense)
        gate.open(times=2)
        assert b"".join(pieces) == b"secondthird"
        pieces = client.pieces(client.read_head())
        assert next(pieces) == b"first"
        # The daemon has had its turn to read it.
        assert ask(url, "/e/lab/saw").status == 200
        gate.open(times=2)
        assert b"".join(pieces) == b"secondthird"
        assert client.read().code == "request_malformed"
        assert client.ends()


def test_nonsense_in_the_rest_of_a_body_gets_no_answer_of_its_own(url: str) -> None:
    """The request was answered before its body had ended; a second answer would be taken for the next request's."""
    with Client(url) as client:
        client.send(plain("/e/lab/none", "Transfer-Encoding: chunked", method="POST"), b"3\r\nabc\r\n")
        assert client.read().code == "interface_unknown"
        send(client, b"nonsense\r\n" + HIDDEN, bytewise=False)
        assert client.ends()


def test_nonsense_behind_a_body_that_came_after_its_answer_is_refused(url: str) -> None:
    with Client(url) as client:
        client.send(plain("/e/lab/none", "Content-Length: 5", method="POST"))
        assert client.read().code == "interface_unknown"
        client.send(b"hello", b"nonsense\r\n\r\n")
        assert client.read().code == "request_malformed"


def test_the_refusal_of_a_request_that_is_none_is_a_whole_answer(url: str) -> None:
    with Client(url) as client:
        client.send(b"nonsense\r\n\r\n")
        answer = client.read()
        assert (answer.status, answer.code, answer.closes) == (400, "request_malformed", True)
        assert answer.one("date") is not None
        assert client.ends()
