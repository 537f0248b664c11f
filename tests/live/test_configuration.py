"""SIGHUP: other settings for a daemon that runs, and plugins that are held to them without a lost request."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from endpointd.admin.client import Client
from endpointd.admin.documents import ARCHIVE, PACKAGE
from endpointd.errors import OperatorError
from live.conftest import Served, Shop
from support import raw_http
from support.eventually import eventually
from support.gates import Gate
from support.load import Load
from support.raw_http import Answer, ask, plain

Serve = Callable[..., Served]

TELLS_ENVIRONMENT = """
import os
from dify_plugin import Endpoint
from werkzeug import Response

class Tells(Endpoint):
    def _invoke(self, r, values, settings):
        return Response(os.environ.get("WORD", "nothing"))
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "endpointd.toml"
    file.write_text("limit_body = 100\n")
    return file


def reread(served: Served, event: str) -> str:
    served.daemon.process.send_signal(signal.SIGHUP)
    return served.daemon.wait_for_log(f'"{event}"')


def test_a_limit_holds_at_once_and_no_worker_is_replaced_for_it(serve: Serve, shop: Shop, config: Path) -> None:
    shop.put("duck", "quack")
    served = serve(config=config)
    assert ask(served.url, "/e/duck/wait", method="GET", body=b"x" * 200).status == 413
    config.write_text("limit_body = 1000\nclock_first_byte = 0.3\n")
    reread(served, "configuration.reloaded")
    answer = ask(served.url, "/e/duck/wait?gate=/dev/null", method="GET", body=b"x" * 200)
    assert answer.status == 200
    assert served.daemon.log().count('"worker.ready"') == 1


def test_limits_of_clients_hold_at_once_and_for_connections_that_are_there(
    serve: Serve, shop: Shop, config: Path
) -> None:
    shop.put("duck", "quack")
    served = serve(config=config, admin_listen="127.0.0.1:0")
    [admin] = [event["url"] for event in served.daemon.events() if event["event"] == "admin.listening"]
    target, header = "/e/duck/?" + "q" * 200, "X-A: " + "a" * 2000
    with raw_http.Client(served.url) as one, raw_http.Client(served.url) as other, raw_http.Client(admin) as third:
        assert [client.request(target, header).status for client in (one, other)] == [200, 200]
        assert third.request(target, header).status == 401
        config.write_text("limit_uri = 100\nlimit_header = 1000\nlimit_connections = 2\n")
        reread(served, "configuration.reloaded")
        assert ask(served.url, "/e/duck/").code == "connections_exhausted"
        assert one.request(target).code == third.request(target).code == "limit_uri"
        assert other.request("/e/duck/", header).code == "limit_header"


def test_clocks_of_clients_hold_at_once_and_for_connections_that_are_there(
    serve: Serve, shop: Shop, config: Path
) -> None:
    shop.put("duck", "quack")
    config.write_text("clock_header = 60\nclock_keep_alive = 60\n")
    served = serve(config=config)
    with raw_http.Client(served.url) as slow, raw_http.Client(served.url) as idle:
        slow.send(b"GET / HTTP/1.1\r\n")
        assert idle.request("/e/duck/").status == 200
        config.write_text("clock_header = 0.3\nclock_keep_alive = 0.3\n")
        reread(served, "configuration.reloaded")
        assert slow.read().code == "clock_header"
        assert idle.ends()


def test_a_request_at_the_end_has_the_time_that_was_promised_last(
    serve: Serve, shop: Shop, config: Path, tmp_path: Path
) -> None:
    shop.put("duck", "quack")
    config.write_text("clock_drain = 0.1\n")
    served = serve(config=config)
    config.write_text("clock_drain = 60\n")
    reread(served, "configuration.reloaded")
    with (
        Gate(tmp_path / "arrived") as arrived,
        Gate(tmp_path / "gate") as gate,
        raw_http.Client(served.url) as client,
    ):
        client.send(plain(f"/e/duck/wait?arrived={arrived.path}&gate={gate.path}"))
        arrived.wait()
        served.daemon.process.terminate()
        assert "60.0" in served.daemon.wait_for_log('"stopping"')
        # The passing of time is what is tested.
        assert not client.is_cut_off(1.5)
        gate.open()
        assert client.read().body == b"waited"
    assert served.daemon.process.wait(10) == 0


def test_what_is_asked_for_when_it_is_needed_is_that_of_the_moment(
    serve: Serve, shop: Shop, config: Path, tmp_path: Path
) -> None:
    shop.put("duck", "quack")
    (shop.plugins / "broken").mkdir()
    config.write_text("public_health = true\n")
    served = serve(config=config)
    archive = tmp_path / "archive"
    archive.write_bytes(bytes(2000))

    def refusal(kind: str) -> str:
        with archive.open("rb") as file, pytest.raises(OperatorError) as caught:
            client.install(file, 2000, kind, replace=False)
        return caught.value.code

    with Client(served.state) as client:
        assert ask(served.url, "/readyz").status == 200
        before = refusal(ARCHIVE), refusal(PACKAGE)
        config.write_text(
            'public_health = true\nready_when = "running"\npackage_signatures = "require"\nlog_level = "error"\n'
        )
        assert client.reload() == {"needs_restart": []}
        assert ask(served.url, "/readyz").status == 503
        assert client.log_level() == {"level": "error"}
        assert refusal(ARCHIVE) == "package_untrusted" != before[0]
        config.write_text('public_health = true\npackage_keys = ["away"]\n')
        assert client.reload() == {"needs_restart": []}
        assert refusal(PACKAGE) == "key_unusable"
        config.write_text("public_health = true\nlimit_package = 1000\n")
        assert client.reload() == {"needs_restart": []}
        assert refusal(PACKAGE) == "archive_too_large" != before[1]


def test_as_many_older_releases_stay_as_is_wanted_by_now(serve: Serve, shop: Shop, config: Path) -> None:
    shop.put("duck", "one")
    served = serve(config=config)

    def older() -> list[str]:
        with Client(served.state) as client:
            return list(client.plugins()[0]["previous_releases"])

    shop.edit("duck", "two")
    eventually(lambda: len(older()) == 1)
    [eldest] = older()
    shop.edit("duck", "three")
    eventually(lambda: len(older()) == 2)
    config.write_text("releases_kept = 1\n")
    reread(served, "configuration.reloaded")
    shop.edit("duck", "four")
    eventually(lambda: eldest not in older())


def test_a_workers_environment_takes_a_new_worker_and_loses_nothing(serve: Serve, shop: Shop, config: Path) -> None:
    made = shop.make("duck", "quack")
    (made / "says.py").write_text(TELLS_ENVIRONMENT)
    made.rename(shop.plugins / "duck")
    served = serve(config=config)

    def is_right(answer: Answer) -> bool:
        return answer.body in (b"nothing", b"changed")

    with Load(served.url, "/e/duck/", is_right, clients=2) as load:
        config.write_text('[plugin."test/duck"]\nenv = { WORD = "changed" }\n')
        reread(served, "configuration.reloaded")
        eventually(lambda: served.says("duck") == "changed")
    assert load.wrong == {}


def test_a_file_that_cannot_be_used_changes_nothing(serve: Serve, shop: Shop, config: Path) -> None:
    shop.put("duck", "quack")
    served = serve(config=config)
    config.write_text("limit_body = nonsense\n")
    assert "limit_body" in reread(served, "configuration.refused") or "TOML" in served.daemon.log()
    assert served.says("duck") == "quack"
    assert ask(served.url, "/e/duck/wait", method="GET", body=b"x" * 200).status == 413


def test_what_needs_a_new_start_is_named(serve: Serve, shop: Shop, config: Path) -> None:
    shop.put("duck", "quack")
    served = serve(config=config)
    config.write_text('limit_body = 100\npublic_url = "https://example.org"\n')
    assert "public_url" in reread(served, "configuration.needs_restart")


def test_the_command_tells_what_became_of_it(serve: Serve, shop: Shop, config: Path) -> None:
    shop.put("duck", "quack")
    served = serve(config=config)
    with Client(served.state) as client:
        config.write_text('limit_body = 1000\npublic_url = "https://example.org"\n')
        assert client.reload() == {"needs_restart": ["public_url"]}
        assert ask(served.url, "/e/duck/", method="GET", body=b"x" * 200).status == 200
        config.write_text("limit_body = nonsense\n")
        with pytest.raises(OperatorError, match=r"limit_body|TOML"):
            client.reload()
    assert ask(served.url, "/e/duck/", method="GET", body=b"x" * 200).status == 200
