"""The daemon has as many files open as it may, for a while: what is refused then is nothing to end for."""

import resource
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from endpointd.admin.client import Client
from endpointd.testing import RunningDaemon
from live.conftest import Served, Shop
from support import raw_http
from support.raw_http import ask

Serve = Callable[..., Served]


@contextmanager
def without_descriptors(daemon: RunningDaemon) -> Iterator[None]:
    """Not even one that it gives back can the daemon have again."""
    before = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (3, before[1]))
    yield
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, before)


def test_a_daemon_whose_administration_cannot_be_loaded_yet_goes_on(serve: Serve, shop: Shop) -> None:
    shop.put("duck", "quack")
    served = serve()
    with without_descriptors(served.daemon), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(served.state / "endpointd.sock"))
        assert "Too many open files" in served.daemon.wait_for_log("admin.late")
    with Client(served.state) as admin:
        assert [one["id"] for one in admin.plugins()] == ["test/duck"]
    assert served.says("duck") == "quack"


def test_who_runs_the_daemon_is_told_once(serve: Serve, shop: Shop) -> None:
    shop.put("duck", "quack")
    served = serve()
    with without_descriptors(served.daemon):
        assert '"most": 3' in served.daemon.wait_for_log("descriptors.exhausted")
        # The next look: the directory is looked at as often.
        served.daemon.wait_for_log("watch.interrupted")
    assert served.daemon.log().count("descriptors.exhausted") == 1


def test_clients_leave_the_daemon_what_it_needs(serve: Serve, shop: Shop, tmp_path: Path) -> None:
    shop.put("duck", "quack")
    config = tmp_path / "endpointd.toml"
    config.touch()
    served = serve(config=config)
    before = resource.prlimit(served.daemon.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(served.daemon.pid, resource.RLIMIT_NOFILE, (200, before[1]))
    served.daemon.process.send_signal(signal.SIGHUP)
    served.daemon.wait_for_log("configuration.reloaded")
    with ExitStack() as stack:
        clients = [stack.enter_context(raw_http.Client(served.url)) for _ in range(150)]
        assert clients[-1].request("/e/duck/").body == b"quack"
        assert ask(served.url, "/e/duck/").code == "connections_exhausted"
        # Another worker can be started all the same.
        shop.edit("duck", "changed")
        served.daemon.wait_for_log("worker.switched")
        assert clients[0].request("/e/duck/").body == b"changed"
