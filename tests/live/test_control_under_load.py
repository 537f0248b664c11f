"""What an operator does to a plugin under load, with the command line: no request is lost."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from live.conftest import Served, Shop
from support.gates import Gate
from support.load import Load
from support.raw_http import Answer, Client, plain

Serve = Callable[..., Served]


def is_a_version(answer: Answer) -> bool:
    return answer.status == 200 and answer.body.startswith(b"version ")


def endpointd(served: Served, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "endpointd", *arguments, "--state", str(served.state)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def restart(served: Served, _shop: Shop) -> str:
    assert endpointd(served, "restart", "duck").returncode == 0
    return "version 1"


def install(served: Served, shop: Shop) -> str:
    made = shop.make("duck", "version 2")
    done = endpointd(served, "install", "--replace", str(made))
    assert done.returncode == 0, done.stderr
    return "version 2"


def roll_back(served: Served, shop: Shop) -> str:
    install(served, shop)
    assert endpointd(served, "rollback", "duck").returncode == 0
    return "version 1"


@pytest.mark.parametrize("act", [restart, install, roll_back])
def test_nothing_is_lost(serve: Serve, shop: Shop, tmp_path: Path, act: Callable[[Served, Shop], str]) -> None:
    shop.put("duck", "version 1")
    served = serve()
    with (
        Gate(tmp_path / "gate") as gate,
        Client(served.url) as slow,
        Load(served.url, "/e/duck/", is_a_version) as load,
    ):
        slow.send(plain(f"/e/duck/wait?gate={gate.path}&chunk=10"))
        pieces = slow.pieces(slow.read_head())
        assert next(pieces) == b"x" * 10
        expected = act(served, shop)
        assert served.says("duck") == expected
        gate.open()
        assert b"".join(pieces) == b"last"
    assert load.wrong == {}
    assert load.answered > 100


def test_a_stopped_plugin_says_so_and_starts_again(serve: Serve, shop: Shop) -> None:
    shop.put("duck", "version 1")
    served = serve()
    assert endpointd(served, "stop", "duck").returncode == 0
    assert served.says("duck") == "plugin_stopped"
    assert endpointd(served, "status", "duck").returncode == 3
    shop.edit("duck", "version 2")
    assert endpointd(served, "start", "duck").returncode == 0
    served.comes_to_say("duck", "version 2")


def test_a_version_that_fails_is_told_by_its_exit_status_and_by_status(serve: Serve, shop: Shop) -> None:
    shop.put("duck", "version 1")
    served = serve()
    made = shop.make("duck", "version 2")
    (made / "says.py").write_text("print('last words')\nraise SystemExit(3)\n")
    done = endpointd(served, "install", "--replace", str(made))
    assert done.returncode == 1
    assert "the version before it goes on answering" in done.stderr
    shown = endpointd(served, "status", "duck")
    assert shown.returncode == 0
    assert "load_failed" in shown.stdout
    assert "last words" in shown.stdout
    assert served.says("duck") == "version 1"
    # The folder is the old one again.
    assert endpointd(served, "restart", "duck").returncode == 0
    assert served.says("duck") == "version 1"


def test_a_release_that_was_gone_back_to_holds_until_the_folder_changes(serve: Serve, shop: Shop) -> None:
    shop.put("duck", "version 1")
    served = serve()
    shop.edit("duck", "version 2")
    served.comes_to_say("duck", "version 2")
    assert endpointd(served, "rollback", "duck").returncode == 0
    assert served.daemon.stop() == 0
    again = serve()
    assert again.says("duck") == "version 1"
    assert "version 2" in (shop.plugins / "duck" / "says.py").read_text()
    shop.edit("duck", "version 3")
    again.comes_to_say("duck", "version 3")


def test_what_is_uninstalled_is_gone(serve: Serve, shop: Shop) -> None:
    shop.put("duck", "version 1")
    served = serve()
    assert endpointd(served, "uninstall", "--yes", "duck").returncode == 0
    assert served.says("duck") == "plugin_removed"
    assert not list(shop.plugins.iterdir())
    assert not list((served.state / "releases").glob("*duck*"))
