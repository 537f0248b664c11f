"""Large pieces of an answer over TLS: what the worker has put into shared memory is encrypted like everything else."""

import hashlib
import ssl
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from endpointd.testing import DaemonStarter
from support.plugins import write_plugin

if TYPE_CHECKING:
    from edge.conftest import Issue

SOURCE = """
from dify_plugin import Endpoint
from werkzeug import Response


class Numbered(Endpoint):
    def _invoke(self, r, values, settings):
        return Response(number.to_bytes(8, "big") * 8192 for number in range(200))
"""


def test_a_large_answer_arrives_whole(start: DaemonStarter, issue: "Issue", tmp_path: Path) -> None:
    write_plugin(tmp_path / "plugins", "numbered", {"numbered.py": SOURCE}, [("GET", "/", "numbered.py")], None)
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    issue(certificate, key, "localhost")
    daemon = start(tmp_path / "plugins", tls_certificate=certificate, tls_key=key)
    url = f"{daemon.url.replace('http:', 'https:')}/e/numbered/"
    with urllib.request.urlopen(url, context=ssl.create_default_context(cafile=str(certificate))) as answer:
        found = hashlib.sha256(answer.read())
    expected = hashlib.sha256(b"".join(number.to_bytes(8, "big") * 8192 for number in range(200)))
    assert found.digest() == expected.digest()
