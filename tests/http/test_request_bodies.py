"""What a plugin sees of a request's body: all of it, however it was sent, and nothing when there was none."""

from typing import Any

import pytest

from support.raw_http import Answer, Client, ask, chunked, plain

CHUNKED = "Transfer-Encoding: chunked"
BODY = bytes(range(256)) * 3


def send(url: str, request: bytes, *, bytewise: bool = False) -> Answer:
    with Client(url) as client:
        (client.send_bytewise if bytewise else client.send)(request)
        return client.read()


def body_seen(answer: Answer) -> bytes:
    assert answer.status == 200, answer
    return str(answer.json()["body"]).encode("latin-1")


def post(*headers: str, body: bytes = b"", query: str = "") -> bytes:
    """A POST whose `headers` say how `body` is sent."""
    return plain(f"/e/lab/saw{query}", *headers, method="POST") + body


@pytest.mark.parametrize("bytewise", [False, True])
def test_a_body_with_a_length_arrives(url: str, bytewise: bool) -> None:
    answer = send(url, post(f"Content-Length: {len(BODY)}", body=BODY), bytewise=bytewise)
    assert body_seen(answer) == BODY
    assert answer.json()["environ"]["CONTENT_LENGTH"] == str(len(BODY))


CHUNKINGS = {
    "plain": chunked(BODY[:1], BODY[1:300], BODY[300:]),
    "extensions": b'3;a=b;c="d;e"\r\nabc\r\n4;x\r\ndefg\r\n0;last\r\n\r\n',
    "trailers": b"3\r\nabc\r\n4\r\ndefg\r\n0\r\nX-Trailer: yes\r\nCookie: late=1\r\n\r\n",
    "large digits": b"000003\r\nabc\r\n00004\r\ndefg\r\n000\r\n\r\n",
    "capitals": b"A\r\n0123456789\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("bytewise", [False, True])
@pytest.mark.parametrize("name", CHUNKINGS)
def test_a_chunked_body_arrives_without_its_framing(url: str, name: str, bytewise: bool) -> None:
    answer = send(url, post(CHUNKED, body=CHUNKINGS[name]), bytewise=bytewise)
    expected = {"plain": BODY, "capitals": b"0123456789"}.get(name, b"abcdefg")
    assert body_seen(answer) == expected
    assert "CONTENT_LENGTH" not in answer.json()["environ"]
    assert "HTTP_X_TRAILER" not in answer.json()["environ"], "a trailer is no header"


def test_a_large_body_arrives_whole(url: str) -> None:
    large = BODY * 4000
    assert body_seen(send(url, post(f"Content-Length: {len(large)}", body=large))) == large
    pieces = [large[at : at + 100_000] for at in range(0, len(large), 100_000)]
    assert body_seen(send(url, post(CHUNKED, body=chunked(*pieces)))) == large


@pytest.mark.parametrize(
    "request_bytes",
    [post(), post("Content-Length: 0"), post(CHUNKED, body=b"0\r\n\r\n")],
    ids=["neither", "length 0", "no chunks"],
)
def test_an_empty_body_stays_empty(url: str, request_bytes: bytes) -> None:
    answer = send(url, request_bytes)
    assert body_seen(answer) == b""
    assert answer.json()["environ"].get("CONTENT_LENGTH") == ("0" if b"Length: 0" in request_bytes else None)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS", "PUT"])
def test_any_method_may_have_a_body(url: str, method: str) -> None:
    with Client(url) as client:
        answer = client.request("/e/lab/saw", method=method, body=b"unusual")
        assert method == "HEAD" or body_seen(answer) == b"unusual"
        assert client.request("/e/lab/saw").status == 200


def test_a_body_that_the_plugin_does_not_read_harms_nobody(url: str) -> None:
    large = b"." * 3_000_000
    with Client(url) as client:
        assert client.request("/e/lab/answer/list", method="POST", body=large).status == 200
        # The rest of the body is thrown away, and never taken for a request.
        assert client.request("/e/lab/saw").status == 200


def test_pieces_of_a_body_arrive_as_they_are_sent(url: str) -> None:
    """The plugin answers each piece before the next one is sent."""
    with Client(url) as client:
        client.send(plain("/e/lab/stream/uploaded", CHUNKED, method="POST"), b"3\r\none\r\n")
        head = client.read_head()
        pieces = client.pieces(head)
        assert next(pieces) == b"<one>"
        client.send(b"3\r\ntwo\r\n")
        assert next(pieces) == b"<two>"
        client.send(b"0\r\n\r\n")
        assert list(pieces) == []


# Expect: 100-continue


def test_a_body_that_is_wanted_is_asked_for(url: str) -> None:
    with Client(url) as client:
        client.send(plain("/e/lab/saw", "Expect: 100-continue", "Content-Length: 5", method="POST"))
        # Sent only after the go-ahead: the answer below would not come without it either.
        assert client.read_interim() == 100
        client.send(b"hello")
        assert body_seen(client.read()) == b"hello"


UNWANTED = [
    ("/e/lab/saw", 10**15, "limit_body"),
    ("/e/lab/none", 5, "interface_unknown"),
    ("/e/none/", 5, "endpoint_unknown"),
]


@pytest.mark.parametrize(("target", "length", "code"), UNWANTED)
def test_a_body_that_is_not_wanted_is_not_asked_for(url: str, target: str, length: int, code: str) -> None:
    with Client(url) as client:
        client.send(plain(target, "Expect: 100-continue", f"Content-Length: {length}", method="POST"))
        answer = client.read()
    assert (answer.code, answer.interim) == (code, ())


def test_no_body_is_asked_for_where_there_is_none(url: str) -> None:
    answer = ask(url, "/e/lab/saw", "Expect: 100-continue")
    assert (answer.status, answer.interim) == (200, ())


# Forms

FORM = "Content-Type: application/x-www-form-urlencoded"
BOUNDARY = "Content-Type: multipart/form-data; boundary=frontier"
PARTS = (
    b'--frontier\r\nContent-Disposition: form-data; name="title"\r\n\r\nTwo words\r\n'
    b'--frontier\r\nContent-Disposition: form-data; name="title"\r\n\r\ncaf\xc3\xa9\r\n'
    b'--frontier\r\nContent-Disposition: form-data; name="file"; filename="a b.bin"\r\n'
    b"Content-Type: application/x-thing\r\n\r\n\x00\xff--frontier\r\n\r\n"
    b"--frontier--\r\n"
)


def form_seen(url: str, *headers: str, body: bytes) -> dict[str, Any]:
    answer = send(url, post(*headers, body=body, query="?as=form"))
    assert answer.status == 200, answer
    return dict(answer.json())


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_form_is_parsed(url: str, is_chunked: bool) -> None:
    body = b"a=1&b=two+words&a=%C3%A9&empty=&bare"
    framing, sent = (CHUNKED, chunked(body[:7], body[7:])) if is_chunked else (f"Content-Length: {len(body)}", body)
    saw = form_seen(url, FORM, framing, body=sent)
    assert saw["form"] == [["a", "1"], ["a", "é"], ["b", "two words"], ["empty", ""], ["bare", ""]]


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_multipart_form_is_parsed(url: str, is_chunked: bool) -> None:
    framing, sent = (
        (CHUNKED, chunked(*(PARTS[at : at + 7] for at in range(0, len(PARTS), 7))))
        if is_chunked
        else (f"Content-Length: {len(PARTS)}", PARTS)
    )
    saw = form_seen(url, BOUNDARY, framing, body=sent)
    assert saw["form"] == [["title", "Two words"], ["title", "café"]]
    assert saw["files"] == [["file", "a b.bin", "application/x-thing", "\x00\xff--frontier\r\n"]]
