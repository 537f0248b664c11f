"""*Try it*: real requests to the daemon's own listener, and to nothing else."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.certificates import write_certificate
from support.console import Operator, running_console
from support.eventually import eventually
from support.plugins import write_plugin

STREAM = "application/x-ndjson"
SEEN = """
from dify_plugin import Endpoint
from werkzeug import Response

class Seen(Endpoint):
    def _invoke(self, r, values, settings):
        return Response(r.url)
"""
SLOW = "/console/plugins/test/slow/try"


def events(answer: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.text.splitlines()]


@contextmanager
def trying(operator: Operator, path: str, form: dict[str, str]) -> Iterator[Iterator[dict[str, Any]]]:
    """The events as they come."""
    data = {"csrf": operator.csrf, **form}
    with operator.client.stream("POST", path, data=data, headers={"Accept": STREAM}) as answer:
        assert answer.status_code == 200
        yield map(json.loads, answer.iter_lines())


def test_an_answer_comes_as_it_is_made(operator: Operator) -> None:
    with trying(operator, SLOW, {"target": "GET /e/slow/"}) as coming:
        head = next(coming)
        assert (head["kind"], head["status"], head["textual"]) == ("head", 200, True)
        assert ["content-type", "text/event-stream"] in [[name.lower(), value] for name, value in head["headers"]]
        # The last piece comes half a minute later.
        assert next(coming)["text"] == "the first piece\n"


def test_who_leaves_ends_the_request(operator: Operator) -> None:
    page = "/console/plugins/test/slow"
    eventually(lambda: ", 0 under way" in operator.get(page).text)
    with trying(operator, SLOW, {"target": "GET /e/slow/"}) as coming:
        next(coming)
        assert ", 1 under way" in operator.get(page).text
    eventually(lambda: ", 0 under way" in operator.get(page).text)


def test_all_that_is_filled_in_is_sent(operator: Operator) -> None:
    made = operator.post(
        "/console/endpoints/new",
        {
            "plugin": "test/chat-bridge",
            "name": "Tried",
            "enabled": "true",
            "settings.bot_token.shown": "1",
            "settings.bot_token": "four",
        },
    ).headers["location"]
    hook = operator.get(made).text.partition('name="target" value="POST /e/')[2].partition("/")[0]
    form = {
        "target": f"POST /e/{hook}/channels/<channel>/messages",
        "path.channel": "a b/c",
        "query": "x=1&y=ü",
        "headers": "X-Sender: Ada",
        "body": "hello",
    }
    head, *pieces, end = events(operator.post(f"{made}/try", form, Accept=STREAM))
    # An encoded slash is a slash for the rules, as it is for any client: this is no channel.
    assert head["status"] == 404
    form["path.channel"] = "a b"
    head, *pieces, end = events(operator.post(f"{made}/try", form, Accept=STREAM))
    assert head["status"] == 200
    assert "to a b with Ada: hello\ntoken of 4," in "".join(piece["text"] for piece in pieces)
    assert ["x-query", "x=1&y=%C3%BC"] in [[name.lower(), value] for name, value in head["headers"]]
    assert end["kind"] == "end"
    page = operator.post(f"{made}/try", form)
    assert "to a b with Ada: hello" in page.text
    operator.post(f"{made}/delete")


def test_a_redirect_is_shown_and_not_followed(operator: Operator) -> None:
    head, *_ = events(operator.post(SLOW, {"target": "GET /e/slow/away"}, Accept=STREAM))
    assert head["status"] == 302
    assert ["location", "http://127.0.0.1:9/elsewhere"] in [[name.lower(), value] for name, value in head["headers"]]


def test_an_answer_is_shown_up_to_a_bound(operator: Operator) -> None:
    head, *pieces, last = events(operator.post(SLOW, {"target": "GET /e/slow/large"}, Accept=STREAM))
    assert head["status"] == 200
    assert 0 < sum(piece["bytes"] for piece in pieces) <= 1024 * 1024
    assert (last["kind"], "the first 1024 KiB" in last["text"]) == ("fault", True)
    page = operator.post(SLOW, {"target": "GET /e/slow/large"}).text
    assert len(page) < 80 * 1024
    assert "only the first 64 Ki characters" in page
    # What streams is in the figures too.
    page = "/console/plugins/test/slow"
    eventually(lambda: " ms <small>median" in operator.get(page, X_Console_Live="1").text)


def test_what_is_no_text_is_counted(operator: Operator) -> None:
    target = "GET /e/neko/cat/<int(min=64, max=640):width>.gif"
    form = {"target": target, "path.width": "64"}
    head, *pieces, end = events(operator.post("/console/plugins/endpointd/neko/try", form, Accept=STREAM))
    assert (head["status"], head["textual"]) == (200, False)
    assert {piece["text"] for piece in pieces} == {""}
    assert end["bytes"] == sum(piece["bytes"] for piece in pieces) > 100


def test_what_is_too_long_to_be_sent_is_told(operator: Operator) -> None:
    form = {"target": "GET /e/slow/", "query": "x" * 70_000}
    (fault,) = events(operator.post(SLOW, form, Accept=STREAM))
    assert fault["kind"] == "fault"
    assert "nothing was sent" in fault["text"]
    assert "nothing was sent" in operator.post(SLOW, form).text


def test_nothing_else_can_be_tried(operator: Operator) -> None:
    for target in ("", "GET http://127.0.0.1:9/", "GET /e/neko/", "POST /e/slow/", "GET /console/plugins"):
        answer = operator.post(SLOW, {"target": target}, Accept=STREAM)
        assert answer.status_code == 422, target
    leaving = {"target": "GET /e/slow/files/<path:rest>", "path.rest": "../../neko/"}
    (fault,) = events(operator.post(SLOW, leaving, Accept=STREAM))
    assert fault["kind"] == "fault"
    assert operator.post(SLOW, leaving).status_code == 422


@pytest.mark.parametrize(
    ("listen", "encrypted", "begins"),
    [
        ("127.0.0.1:0", False, "http://127.0.0.1:"),
        ("[::]:0", False, "http://[::]:"),
        ("127.0.0.1:0", True, "https://127.0.0.1:"),
        ("unix:{}/http.sock", False, "http://localhost/"),
    ],
    ids=["tcp", "every address", "tls", "unix"],
)
def test_it_goes_to_wherever_the_daemon_listens(tmp_path: Path, listen: str, encrypted: bool, begins: str) -> None:
    write_plugin(tmp_path / "plugins", "seen", {"seen.py": SEEN}, [("GET", "/", "seen.py")])
    certificate = tmp_path / "cert.pem", tmp_path / "key.pem"
    write_certificate(*certificate, "seen")
    with (
        running_console(tmp_path, listen.format(tmp_path), certificate if encrypted else (None, None)) as console,
        httpx.Client(base_url=console.url, verify=False, timeout=20) as client,
    ):
        path = "/console/plugins/test/seen/try"
        head, piece, end = events(Operator(client, console.token).post(path, {"target": "GET /e/seen/"}, Accept=STREAM))
        assert (head["status"], end["kind"]) == (200, "end")
        assert piece["text"].startswith(begins)
