"""An answer that is there before the request's body reaches its client over TLS too, which knows no half-closed
connections."""

import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from endpointd.testing import DaemonStarter

if TYPE_CHECKING:
    from edge.conftest import Issue

SIZE = 8 * 1024 * 1024
"""More than two systems hold between them."""


def test_who_sends_all_of_its_body_finds_the_answer(
    start: DaemonStarter, issue: "Issue", plugins: Path, tmp_path: Path
) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    issue(certificate, key, "localhost")
    daemon = start(plugins, tls_certificate=certificate, tls_key=key)
    url = f"{daemon.url.replace('http:', 'https:')}/e/edge/none"
    context = ssl.create_default_context(cafile=str(certificate))
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(url, data=bytes(SIZE), context=context, timeout=20)
    with raised.value as answer:
        assert (answer.code, answer.headers["connection"]) == (404, "close")
    assert not [event for event in daemon.events() if event.get("level") in ("error", "critical")]
