"""A secret that was set is in no answer, no error, no line of the log, and not in the database, whatever is asked."""

import json
import logging
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from endpointd.admin.problems import error_of
from endpointd.endpoints import registry
from endpointd.logs import logs
from support import teller
from support.fake_control import NEKO, AdminHost, FakeControl
from support.teller import MODEL, SETTINGS, TELLER, TOKEN, Office

URL = "/api/v1/endpoints"
JSON = {"Content-Type": "application/json"}

MARK = "hunter2-"
_numbers = count()


class Secrets:
    """Everything that was given as one, and where they must not be."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def new(self, size: int = 24) -> str:
        # Not even its beginning may be told.
        self.given.append(f"{MARK}{next(_numbers)}".ljust(size, "x"))
        return self.given[-1]

    def check(self, text: str, where: object = "") -> None:
        assert self.given
        at = text.find(MARK)
        assert at < 0, f"{where}: {text[max(0, at - 200) : at + 200]}"


@pytest.fixture
def secrets() -> Secrets:
    return Secrets()


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Everything that is logged, by whomever, at every level, as the daemon logs it."""
    path = tmp_path / "log"
    stream = path.open("w", encoding="utf-8")
    monkeypatch.setattr("sys.stderr", stream)
    handlers, level = logging.root.handlers[:], logging.root.level
    logs.configure("json", "debug")
    # What has logged before keeps its stream for good.
    structlog.configure(cache_logger_on_first_use=False)
    monkeypatch.setattr(registry, "log", structlog.get_logger())
    for name in ("httpx", "httpcore"):
        # The client's own.
        monkeypatch.setattr(logging.getLogger(name), "propagate", False)
    with stream:
        yield path
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with teller.office(tmp_path) as made:
        yield made


@pytest.fixture
def api(tmp_path: Path, office: Office, secrets: Secrets, log: Path) -> Iterator["Api"]:
    with AdminHost(tmp_path, FakeControl(NEKO), office.registry) as host:
        transport = httpx.HTTPTransport(uds=str(host.state / "endpointd.sock"))
        with httpx.Client(transport=transport, base_url="http://endpointd", timeout=20) as http:
            yield Api(http, secrets)
    # Some is logged when the answer has left.
    assert log.stat().st_size
    secrets.check(log.read_text(), "the log")
    for file in tmp_path.glob("endpointd.db*"):
        secrets.check(file.read_bytes().decode("latin-1"), file)


class Api:
    def __init__(self, http: httpx.Client, secrets: Secrets) -> None:
        self._http = http
        self._secrets = secrets

    def __call__(self, method: str, path: str, body: object = None, *statuses: int) -> Any:  # noqa: ANN401
        """The document that is answered. AssertionError: a secret is in the answer, or in the error that a client makes
        of it, or the status is none of these."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = self._http.request(method, path, content=sent, headers=JSON)
        self._secrets.check(f"{answer.headers}{answer.text}", f"{method} {path}")
        assert answer.status_code in statuses, answer.text[:1000]
        document = answer.json() if answer.content else None
        error = error_of(document)
        if error is not None:
            self._secrets.check(f"{error}{error!r}{error.args}{getattr(error, 'faults', '')}", "the client's error")
        return document

    def create(self, secret: str, name: str = "One") -> Any:  # noqa: ANN401
        body = {"plugin": TELLER, "name": name, "settings": {"token": secret, "second": secret}}
        return self("POST", URL, body, 201)

    def read_all(self) -> None:
        for one in self("GET", URL, None, 200):
            self("GET", f"{URL}/{one['id']}", None, 200)
        for path in ("/api/v1/plugins", "/api/v1/daemon", "/api/v1/openapi.json", f"{URL}?plugin={TELLER}"):
            self("GET", path, None, 200)
        self("GET", "/api/v1/plugins/test/teller/settings", None, 200, 404)


def wanted(name: str, secrets: Secrets) -> dict[str, object]:
    return {"plugin": TELLER, "name": name, "settings": {"token": secrets.new()}}


def misuses(secret: str, endpoint_id: str) -> Iterator[tuple[str, str, object]]:
    """Ways to send a secret to where it does not belong: method, path, and body."""
    one = f"{URL}/{endpoint_id}"
    settings: list[Any] = [
        *({name: secret} for name in SETTINGS if name not in ("token", "second", "greeting", "tools")),
        *({name: [secret]} for name in SETTINGS if name != "tools"),
        *({name: {secret: secret}} for name in SETTINGS if name != "tools"),
        {"token": secret, "tokn": secret},
        {"token": f"\ud800{secret}"},
        {"token": [[secret]] * 40},
        {"token": secret * 20_000},
        {"token": {"a": {"b": secret}}},
        {"tools": f"\udfff{secret}"},
        {"tools": [float("nan"), secret]},
        {"app": {"app": secret}},
        {"order": MODEL | {"model": secret}},
        secret,
        [secret],
        {f"key{number}": secret for number in range(200)},
    ]
    for given in settings:
        yield "PATCH", one, {"settings": given}
        yield "POST", URL, {"plugin": TELLER, "name": "Two", "settings": given, "hook_id": "NO WAY"}
        yield "POST", f"{URL}/apply", {"endpoints": [{"plugin": TELLER, "name": "Two", "settings": given}, {}]}
        wrong = {"plugin": TELLER, "name": "", "settings": given}
        yield "POST", f"{URL}/apply", {"endpoints": [wrong, wrong]}
    yield "POST", URL, {"plugin": TELLER, "name": "Two", "settings": {"token": secret}, "enabled": secret}
    yield "POST", URL, {"plugin": [secret], "name": {"a": secret}, "hook_id": [secret], "settings": {"token": secret}}
    yield "POST", URL, {"plugin": TELLER, "name": "Two", "token": secret}
    yield "POST", f"{URL}/apply", {"endpoints": secret}
    yield "POST", f"{URL}/apply", {"endpoints": [secret], "settings": secret}
    yield "POST", f"{URL}/apply?dry_run={secret}", {"endpoints": []}
    yield "GET", f"{URL}?plugins={secret}", None
    yield "POST", f"{one}/enable", {"settings": {"token": secret}}
    yield "POST", "/api/v1/plugins/acme/neko/rollback", {"release": [secret]}
    yield "PUT", one, {"settings": {"token": secret}}


def test_no_answer_and_no_error_has_a_secret(api: Api, secrets: Secrets) -> None:
    made = api.create(secrets.new())
    api(
        "POST",
        f"{URL}/apply",
        {"endpoints": [wanted("A", secrets)]},
        200,
    )
    for method, path, body in misuses(secrets.new(), made["id"]):
        api(method, path, body, 200, 400, 405, 409, 422)
    api.read_all()


@pytest.mark.parametrize("size", [9, 1000, 100_000])
def test_a_secret_is_shown_without_its_length(api: Api, secrets: Secrets, size: int) -> None:
    assert api.create(secrets.new(size))["settings"]["token"] == "********"


def test_no_answer_has_a_secret_while_the_plugin_changes_and_goes(
    api: Api, secrets: Secrets, office: Office, tmp_path: Path
) -> None:
    made = api.create(secrets.new())
    one = f"{URL}/{made['id']}"
    text = {name: {"type": "text-input"} for name in ("token", "second")}
    for settings in (
        {**TOKEN, "zone": {"type": "text-input", "required": True}},
        {"zone": {"type": "boolean"}},
        text,
        {"token": {"type": "boolean"}},
        {"token": {"type": "select", "options": [{"value": "x"}]}},
    ):
        office.shelf.put(teller.write(tmp_path, settings=settings))
        api.read_all()
        api("PATCH", one, {"settings": {"zone": 5, "second": None}}, 400, 200)
        api("POST", f"{one}/disable", None, 200)
        api("POST", f"{one}/enable", None, 400, 200)
        problem = office.book.refusal(made["hook_id"], office.shelf.plugin(TELLER))
        secrets.check(f"{problem!r}{problem.document('x') if problem else ''!r}", "what a caller is told")
    del office.shelf.plugins[TELLER]
    api.read_all()
    api("PATCH", one, {"settings": {"token": secrets.new()}}, 404)


def test_no_failure_of_the_store_has_a_secret(api: Api, secrets: Secrets, office: Office) -> None:
    made = api.create(secrets.new())
    changes = [
        ("POST", URL, wanted("Two", secrets)),
        ("PATCH", f"{URL}/{made['id']}", {"settings": {"token": secrets.new()}}),
        (
            "POST",
            f"{URL}/apply",
            {"endpoints": [wanted("A", secrets)]},
        ),
    ]
    office.store.fails = "before"
    for method, path, body in changes:
        api(method, path, body, 409)
    # A real one: the tables are gone, behind its back.
    office.store.fails = None
    with office.store.real._database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE endpoints RENAME TO others")
    for method, path, body in changes:
        api(method, path, body, 409)
    office.store.error = ZeroDivisionError("a defect")
    office.store.fails = "before"
    for method, path, body in changes:
        api(method, path, body, 500, 409)
    api.read_all()


@pytest.mark.parametrize("ends", [b"", b"}", b'"', b"\xff", b"\0"])
def test_no_body_that_cannot_be_read_is_quoted(api: Api, secrets: Secrets, ends: bytes) -> None:
    api.create(secrets.new())
    begun = json.dumps({"plugin": TELLER, "name": "x", "settings": {"token": secrets.new()}}).encode()
    for content in (begun[:-1] + ends, begun[:-3] + ends, ends + begun, begun + begun, begun[:-4]):
        for method, path in (("POST", URL), ("POST", f"{URL}/apply"), ("PATCH", f"{URL}/x")):
            if content != begun:
                api(method, path, content, 422)
