"""Behind a real nginx and a real Caddy, with the files of deploy/: who the client is, pieces as they come, uploads."""

import hashlib
import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from endpointd.testing import DaemonStarter
from support.eventually import eventually

if TYPE_CHECKING:
    from edge.conftest import Issue

DEPLOY = Path(__file__).parents[2] / "deploy"
NAME = "hooks.example.com"
NGINX = """
daemon off; pid {folder}/pid; error_log stderr; events {{ }}
http {{ access_log off; include {folder}/site.conf;
client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e; }}
"""
CADDY = "{{\n\tadmin off\n\tauto_https disable_redirects\n\thttps_port {port}\n\tskip_install_trust\n}}\n"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    """Each must be there: what is tested is the file that is shown."""
    for pattern, value in pairs:
        text, count = re.subn(pattern, value, text, flags=re.MULTILINE)
        assert count, pattern
    return text


def nginx(folder: Path, port: int, daemon: int, issue: "Issue") -> list[str]:
    issue(folder / "cert.pem", folder / "key.pem", NAME)
    site = replaced(
        (DEPLOY / "nginx.conf").read_text(),
        (r"127\.0\.0\.1:8080;", f"127.0.0.1:{daemon};"),
        (r"listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        (r"^ *listen \[::\].*$", ""),
        (r"/etc/ssl/.*fullchain\.pem", f"{folder}/cert.pem"),
        (r"/etc/ssl/.*privkey\.pem", f"{folder}/key.pem"),
    )
    (folder / "site.conf").write_text(site)
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder))
    return ["nginx", "-c", f"{folder}/nginx.conf", "-e", "stderr"]


def caddy(folder: Path, port: int, daemon: int, _: "Issue") -> list[str]:
    site = replaced(
        (DEPLOY / "Caddyfile").read_text(),
        (r"127\.0\.0\.1:8080", f"127.0.0.1:{daemon}"),
        # Its own authority instead of a public one, which knows nothing of this machine.
        (r"^hooks\.example\.com \{", f"{NAME} {{\n\ttls internal\n\tbind 127.0.0.1"),
    )
    (folder / "Caddyfile").write_text(CADDY.format(port=port) + site)
    return ["caddy", "run", "--adapter", "caddyfile", "--config", f"{folder}/Caddyfile"]


@pytest.fixture(scope="module")
def daemon_port(start: DaemonStarter, plugins: Path) -> int:
    return start(plugins, trusted_proxies=["127.0.0.1"]).port


@pytest.fixture(scope="module", params=[nginx, caddy], ids=lambda made: made.__name__)
def port(
    request: pytest.FixtureRequest, daemon_port: int, issue: "Issue", tmp_path_factory: pytest.TempPathFactory
) -> Iterator[int]:
    """Where a proxy answers."""
    name = request.param.__name__
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed here")
    folder, port = tmp_path_factory.mktemp(name), free_port()
    command = request.param(folder, port, daemon_port, issue)
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    with (folder / "log").open("wb") as log, subprocess.Popen(command, env=home, stdout=log, stderr=log) as process:
        try:
            eventually(lambda: answers(port), 20)
            yield port
        finally:
            process.terminate()


def answers(port: int) -> bool:
    try:
        with closing(connect(port)):
            return True
    except OSError:
        return False


def connect(port: int) -> http.client.HTTPSConnection:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(NAME, port, context=context, timeout=20)
    # By its name, which leads elsewhere.
    raw = socket.create_connection(("127.0.0.1", port), 20, ("127.0.0.9", 0))
    try:
        connection.sock = context.wrap_socket(raw, server_hostname=NAME)
    except BaseException:
        raw.close()
        raise
    return connection


def test_the_client_is_who_has_connected_to_the_proxy(port: int) -> None:
    """127.0.0.9 is what the proxy sees; and nothing of what that one writes is believed."""
    with closing(connect(port)) as client:
        spoofed = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.test"}
        client.request("GET", "/e/edge/seen?a=%20b", headers=spoofed | {"Forwarded": "for=6.6.6.6;host=evil.test"})
        seen = json.loads(client.getresponse().read())
    assert seen["client"] == "127.0.0.9"
    assert seen["hook"] == f"https://{NAME}:{port}/e/edge/seen"
    assert seen["url"].startswith(f"https://{NAME}:{port}/e/edge/seen?")


def test_events_come_one_by_one(port: int, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with closing(connect(port)) as client:
        client.request("GET", f"/e/edge/events?gate={gate}")
        answer = client.getresponse()
        assert answer.readline() == b"data: first\n"
        gate.touch()
        assert answer.read() == b"\ndata: second\n\n"


@pytest.mark.parametrize("chunked", [False, True])
def test_an_upload_arrives_whole(port: int, chunked: bool) -> None:
    pieces = [bytes([number]) * 65_536 for number in range(64)]
    body = b"".join(pieces)
    with closing(connect(port)) as client:
        client.request(
            "POST",
            "/e/edge/seen",
            iter(pieces) if chunked else body,
            encode_chunked=chunked,
            headers={"Transfer-Encoding": "chunked"} if chunked else {},
        )
        seen = json.loads(client.getresponse().read())
    assert (seen["size"], seen["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())
