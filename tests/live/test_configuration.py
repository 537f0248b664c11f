"""SIGHUP: other settings for a daemon that runs, and plugins that are held to them without a lost request."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from endpointd.admin.client import Client
from endpointd.errors import OperatorError
from live.conftest import Served, Shop
from support.eventually import eventually
from support.load import Load
from support.raw_http import Answer, ask

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
