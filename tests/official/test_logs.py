"""What plugins log through the SDK's handler is in the daemon's log, once."""

import pytest

from official.conftest import StartOfficial
from support.sdks import FOR_311

# Packages may have to be fetched first.
pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("path", ["/propagates", "/does-not"])
def test_a_record_is_told_once(start_official: StartOfficial, path: str) -> None:
    worker = start_official(FOR_311, "logs.py")
    assert worker.host.ask(path=path.encode()).status == 200
    assert [(log.logger, log.text, log.request_id) for log in worker.host.logs] == [("plugin", "it quacked", "r-1")]
    worker.process.terminate()
    status, output = worker.wait()
    assert "quacked" not in output
    assert status
