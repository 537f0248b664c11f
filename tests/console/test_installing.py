"""The form that takes a package: what it installs, what it refuses, and how much it reads."""

import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.console import Console, Operator
from support.packages import package_of, zipped
from support.plugins import write_plugin
from support.raw_http import ask

SAYS = """
from dify_plugin import Endpoint
from werkzeug import Response

class Says(Endpoint):
    def _invoke(self, r, values, settings):
        return Response({!r})
"""


@pytest.fixture
def package(tmp_path: Path) -> bytes:
    return package_of(write_plugin(tmp_path, "parcel", {"a.py": SAYS.format("one")}, [("GET", "/", "a.py")]))


@pytest.fixture(autouse=True)
def _tidy(console: Console) -> Iterator[None]:
    yield
    transport = httpx.HTTPTransport(uds=str(console.state / "endpointd.sock"))
    with httpx.Client(transport=transport, base_url="http://endpointd", timeout=20) as api:
        api.delete("/api/v1/plugins/test/parcel")


def send(operator: Operator, package: bytes, name: str = "parcel.difypkg", **fields: str) -> httpx.Response:
    files = {"package": (name, io.BytesIO(package), "application/octet-stream")}
    return operator.client.post("/console/plugins", data={"csrf": operator.csrf, **fields}, files=files)


def refusal(operator: Operator, answer: httpx.Response) -> str:
    """What the page says beside the form, once."""
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/plugins#install")
    page = operator.get("/console/plugins").text
    assert 'aria-invalid="true"' in page
    assert "Nothing was installed" not in operator.get("/console/plugins").text
    return page.partition('id="package-fault">')[2].partition("</p>")[0]


def test_a_package_is_installed_and_then_replaced_when_that_is_asked_for(
    operator: Operator, console: Console, package: bytes, tmp_path: Path
) -> None:
    answer = send(operator, package)
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/plugins/test/parcel")
    page = operator.get("/console/plugins/test/parcel").text
    assert "test/parcel 0.1.0 was installed and runs." in page
    assert "not signed" in page
    assert ask(console.gateway, "/e/parcel/").body == b"one"

    (tmp_path / "two").mkdir()
    newer = package_of(write_plugin(tmp_path / "two", "parcel", {"a.py": SAYS.format("two")}, [("GET", "/", "a.py")]))
    assert "is installed in the folder" in refusal(operator, send(operator, newer))
    assert ask(console.gateway, "/e/parcel/").body == b"one"
    assert send(operator, newer, replace="true").headers["location"] == "/console/plugins/test/parcel"
    assert ask(console.gateway, "/e/parcel/").body == b"two"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is no zip"),
        (zipped(("../evil", b"x")), "leaves the plugin&#39;s folder"),
        (zipped(("<script>", b"x")), "manifest.yaml"),
        (bytes(51 * 1024 * 1024), "more than 52428800 bytes"),
    ],
)
def test_what_is_refused_is_told_beside_the_form(operator: Operator, content: bytes, says: str) -> None:
    told = refusal(operator, send(operator, content))
    assert says in told
    assert "<script>" not in told


def test_a_form_without_a_file_is_told(operator: Operator) -> None:
    assert "No package was chosen" in refusal(operator, send(operator, b"", name=""))


def test_a_script_is_answered_in_json(operator: Operator) -> None:
    files = {"package": ("x.difypkg", b"x", "application/octet-stream")}
    data, headers = {"csrf": operator.csrf}, {"Accept": "application/json"}
    answer = operator.client.post("/console/plugins", data=data, files=files, headers=headers)
    assert (answer.status_code, "package_invalid" in answer.json()["error"]) == (409, True)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", b"csrf=x"),
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=x", b"--x\r\nno header\r\n\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=csrf\r\n\r\n" + b"y" * 5000),
        ("multipart/form-data; boundary=x", b"x" * 2_000_000),
        ("multipart/form-data; boundary=" + "x" * 1000, b""),
    ],
)
def test_what_is_no_such_form_does_nothing(operator: Operator, kind: str, body: bytes) -> None:
    answer = operator.client.post("/console/plugins", content=body, headers={"Content-Type": kind})
    assert answer.status_code in (303, 403)
    if answer.status_code == 303:
        assert refusal(operator, answer)


def test_the_word_of_the_session_has_to_come_before_the_file(operator: Operator, package: bytes) -> None:
    """So that nobody else's file is kept, however short."""
    files: list[tuple[str, tuple[str | None, bytes]]]
    files = [("package", ("x.difypkg", package)), ("csrf", (None, operator.csrf.encode()))]
    assert operator.client.post("/console/plugins", files=files).status_code == 403


def test_nothing_is_left_in_the_state_directory(operator: Operator, console: Console) -> None:
    before = sorted(console.state.iterdir())
    refusal(operator, send(operator, bytes(3 * 1024 * 1024)))
    assert sorted(console.state.iterdir()) == before
