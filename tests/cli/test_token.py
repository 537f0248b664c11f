"""The commands `endpointd token …`, as processes, and what a token is good for: a daemon's API over the network."""

import json
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from cli.conftest import Run
from endpointd.access.failures import OF_ONE
from endpointd.testing import DaemonStarter, RunningDaemon


@dataclass
class Served:
    daemon: RunningDaemon
    state: Path
    api: str

    def status(self, token: str) -> int:
        """Of a call with the token."""
        return httpx.get(f"{self.api}/api/v1/plugins", headers={"Authorization": f"Bearer {token}"}).status_code


@pytest.fixture
def served(start_daemon: DaemonStarter, tmp_path: Path) -> Served:
    (tmp_path / "plugins").mkdir()
    daemon = start_daemon(tmp_path / "plugins", state=tmp_path / "state", admin_listen="127.0.0.1:0")
    url = json.loads(daemon.wait_for_log("admin.listening"))["url"]
    return Served(daemon, tmp_path / "state", url)


def test_a_token_is_made_used_listed_and_revoked(run: Run, served: Served) -> None:
    def token(*arguments: object) -> tuple[int, str, str]:
        outcome = run("token", *arguments, ENDPOINTD_STATE=str(served.state))
        return outcome.returncode, outcome.stdout, outcome.stderr

    assert "no tokens" in token("list")[1]
    status, printed, told = token("create", "ci", "--days", 30)
    secret = printed.strip()
    assert status == 0
    assert printed == f"{secret}\n"
    assert "not shown again" in told
    assert secret not in told
    assert served.status(secret) == 200
    [row] = token("list")[1].splitlines()[1:]
    assert row.startswith("ci ")
    assert "in 29 d 23 h" in row
    made = json.loads(token("create", "forever", "--json")[1])
    assert made["token"]["expires_at"] is None
    assert [one["name"] for one in json.loads(token("list", "--json")[1])] == ["ci", "forever"]

    status, _, told = token("create", "ci")
    assert (status, "[token_exists]" in told) == (1, True)
    status, _, told = token("create", "two words")
    assert (status, "[token_name_invalid]" in told) == (2, True)
    status, _, told = token("revoke", "nobody")
    assert (status, "[token_unknown]" in told) == (1, True)

    assert token("revoke", "ci") == (0, "ci is revoked\n", "")
    assert served.status(secret) == 401
    assert served.status(made["secret"]) == 200
    assert token("revoke", made["token"]["id"])[0] == 0
    assert served.status(made["secret"]) == 401
    served.daemon.stop()
    assert secret not in served.daemon.log()
    assert made["secret"] not in served.daemon.log()


def test_guessing_is_ended_over_the_network_and_not_on_the_socket(run: Run, served: Served) -> None:
    secret = run("token", "create", "ci", ENDPOINTD_STATE=str(served.state)).stdout.strip()
    assert [served.status("guess") for _ in range(OF_ONE + 1)] == [401] * OF_ONE + [429]
    assert served.status(secret) == 429
    assert run("token", "list", ENDPOINTD_STATE=str(served.state)).returncode == 0


def test_a_token_is_good_after_a_new_start(run: Run, served: Served, start_daemon: DaemonStarter) -> None:
    secret = run("token", "create", "ci", ENDPOINTD_STATE=str(served.state)).stdout.strip()
    served.daemon.stop()
    again = start_daemon(served.state.parent / "plugins", state=served.state, admin_listen="127.0.0.1:0")
    url = json.loads(again.wait_for_log("admin.listening"))["url"]
    assert Served(again, served.state, url).status(secret) == 200
