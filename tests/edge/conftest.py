"""A plugin that tells whom it has seen, and certificates to serve it with."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from endpointd.testing import DaemonStarter
from support.certificates import write_certificate
from support.plugins import write_plugin

SEEN = """
import hashlib, json, time
from dify_plugin import Endpoint
from werkzeug import Response

class Seen(Endpoint):
    def _invoke(self, r, values, settings):
        size, digest = 0, hashlib.sha256()
        while piece := r.stream.read(65536):
            size, _ = size + len(piece), digest.update(piece)
        told = {"client": r.remote_addr, "url": r.url, "hook": r.headers["Dify-Hook-Url"]}
        return Response(json.dumps(told | {"size": size, "sha256": digest.hexdigest()}), mimetype="application/json")
"""
EVENTS = """
import os, time
from dify_plugin import Endpoint
from werkzeug import Response

class Events(Endpoint):
    def _invoke(self, r, values, settings):
        def events():
            yield "data: first\\n\\n"
            # The second comes when the client has the first, and says so.
            while not os.path.exists(r.args["gate"]):
                time.sleep(0.01)
            yield "data: second\\n\\n"
        return Response(events(), mimetype="text/event-stream")
"""


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonStarter]:
    starter = DaemonStarter(tmp_path_factory.mktemp)
    yield starter
    starter.stop_all()


@pytest.fixture(scope="session")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plugins")
    interfaces = [("GET", "/seen", "seen.py"), ("POST", "/seen", "seen.py"), ("GET", "/events", "events.py")]
    write_plugin(folder, "edge", {"seen.py": SEEN, "events.py": EVENTS}, interfaces)
    return folder


Issue = Callable[..., None]


@pytest.fixture(scope="session")
def issue() -> Issue:
    """Write a new certificate and its key, of whichever kind, to two files."""
    return write_certificate


def decoded(body: bytes) -> dict[str, object]:
    return dict(json.loads(body))
