"""The host is killed under load: its workers and all that they have started end, and the next one serves at once."""

import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from endpointd.testing import DaemonStarter
from support.catalogue import BYSTANDER, fine, misbehave, write_catalogue
from support.load import Load
from support.processes import Watched, children
from support.raw_http import Answer

SECONDS = 2.0
"""In which nothing of it is left."""
WAYS = ("fork", "subprocess", "session", "fork_session", "orphan")
ROUNDS = 2


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def is_fine(answer: Answer) -> bool:
    return answer.status == 200 and list(answer.json()) == ["pid"]


def test_a_host_that_is_killed_under_load_leaves_nothing_and_is_followed_by_another(
    start_daemon: DaemonStarter, tmp_path: Path
) -> None:
    plugins = write_catalogue(tmp_path / "plugins", "children")
    # The same address each time, so that the clients find every one of them.
    settings: dict[str, Any] = {"state": tmp_path / "state", "listen": free_address()}
    daemon = start_daemon(plugins, **settings)
    with Load(daemon.url, f"/e/{BYSTANDER}/fine", is_fine, clients=2) as load:
        for _ in range(ROUNDS):
            with ExitStack() as stack:
                pids = [int(misbehave(daemon, "children", f"way={way}").body) for way in WAYS]
                pids += children(daemon.pid)
                left = [stack.enter_context(Watched(pid)) for pid in dict.fromkeys(pids)]
                daemon.process.kill()
                deadline = time.monotonic() + SECONDS
                assert [one.pid for one in left if not one.ends_within(max(0.0, deadline - time.monotonic()))] == []
                daemon.kill()
            daemon = start_daemon(plugins, **settings)
            fine(daemon)
            fine(daemon, "children")
        answered = load.answered
    assert answered > 50
    # Between two hosts nobody listens, and what was under way is broken off; but no answer is wrong.
    assert [wrong for wrong in load.wrong if not wrong.startswith(("Broken", "Connection", "BrokenPipe"))] == []
    assert daemon.stop() == 0
    assert [event for event in daemon.events() if event["level"] in ("error", "critical")] == []
