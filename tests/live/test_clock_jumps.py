"""The wall clock jumps, for the daemon and its workers, while requests are under way: nobody notices, because every
clock that ends something is monotonic."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from live.conftest import Served, Shop
from support.gates import Gate
from support.load import Load
from support.raw_http import Answer, Client, ask, plain
from support.wall_clock import WallClock

Serve = Callable[..., Served]

DAY = 86_400
JUMPS = (DAY, -DAY, 3650 * DAY, 0)
TELLS = """
import os, time
from dify_plugin import Endpoint
from werkzeug import Response

class Tells(Endpoint):
    def _invoke(self, r, values, settings):
        return Response(f"{os.getpid()} {int(time.time())}")
"""


@pytest.fixture
def clock(tmp_path: Path) -> WallClock:
    try:
        return WallClock(tmp_path)
    except LookupError as error:
        pytest.skip(f"a clock that jumps has to be compiled: {error}")


def is_a_version(answer: Answer) -> bool:
    return answer.status == 200 and answer.body.startswith(b"version ")


def tells(served: Served) -> tuple[int, int]:
    """The pid of the teller's worker, and what time it is there."""
    pid, now = ask(served.url, "/e/teller/").body.split()
    return int(pid), int(now)


def test_jumps_of_the_wall_clock_end_nothing_and_hold_nothing_up(
    serve: Serve, shop: Shop, clock: WallClock, tmp_path: Path
) -> None:
    shop.put("duck", "version 0")
    (shop.put("teller", "") / "says.py").write_text(TELLS)
    tables = [f'[plugin."test/{name}".env]' for name in ("duck", "teller")]
    lines = [f"{name} = '{value}'" for name, value in clock.environment.items()]
    configuration = tmp_path / "endpointd.toml"
    configuration.write_text(
        "clock_ping = 2\nclock_idle = 30\n" + "\n".join("\n".join([table, *lines]) for table in tables)
    )
    served = serve(config=configuration, env=clock.environment)
    now = tells(served)[1]
    with (
        Load(served.url, "/e/duck/", is_a_version, clients=2) as load,
        Gate(tmp_path / "gate") as gate,
        Client(served.url, timeout=30) as client,
    ):
        client.send(plain(f"/e/teller/wait?gate={gate.path}&chunk=10"))
        pieces = client.pieces(client.read_head())
        assert next(pieces) == b"x" * 10
        for number, jump in enumerate(JUMPS, 1):
            clock.jump(jump)
            assert abs(tells(served)[1] - now - jump) < DAY / 2
            shop.edit("duck", f"version {number}")
            served.comes_to_say("duck", f"version {number}")
        gate.open()
        assert b"".join(pieces) == b"last"
        pid, _ = tells(served)
        clock.jump(-DAY)
        os.kill(pid, signal.SIGKILL)
        assert served.daemon.wait_for_log('"worker.failed"')
        assert tells(served)[0] != pid
    assert load.wrong == {}
    years = {event["timestamp"][:4] for event in served.daemon.events()}
    assert len(years) >= 2, "the daemon did not see the jumps"
    assert [event["code"] for event in served.daemon.events() if event["level"] == "error"] == ["worker_died"]
    assert "response.aborted" not in served.daemon.log()
