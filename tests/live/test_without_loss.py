"""Changes under load: no request is lost, and what is open finishes where it began."""

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


def test_an_edit_under_load_loses_nothing(serve: Serve, shop: Shop) -> None:
    shop.put("duck", "version 0")
    served = serve()
    with Load(served.url, "/e/duck/", is_a_version) as load:
        for number in range(1, 4):
            shop.edit("duck", f"version {number}")
            served.comes_to_say("duck", f"version {number}")
    assert load.wrong == {}
    assert load.answered > 100


def test_a_broken_version_under_load_loses_nothing(serve: Serve, shop: Shop) -> None:
    shop.put("duck", "version 0")
    served = serve()
    with Load(served.url, "/e/duck/", is_a_version) as load:
        (shop.plugins / "duck" / "says.py").write_text("raise SystemExit(3)\n")
        served.daemon.wait_for_log('"worker.failed"')
        shop.edit("duck", "version 2")
        served.comes_to_say("duck", "version 2")
    assert load.wrong == {}


def test_recycling_under_load_loses_nothing(serve: Serve, shop: Shop) -> None:
    shop.put("duck", "version 0")
    served = serve(recycle_requests=200)
    with Load(served.url, "/e/duck/", is_a_version) as load:
        served.daemon.wait_for_log('"worker.recycled"', timeout=20)
        served.daemon.wait_for_log('"worker.ended"', timeout=20)
    assert load.wrong == {}


@pytest.mark.parametrize("route", ["the same", "another"])
def test_an_open_stream_finishes_on_the_old_worker(serve: Serve, shop: Shop, tmp_path: Path, route: str) -> None:
    shop.put("duck", "old")
    served = serve()
    with Gate(tmp_path / "gate") as gate, Client(served.url) as client:
        client.send(plain(f"/e/duck/wait?gate={gate.path}&chunk=10"))
        pieces = client.pieces(client.read_head())
        assert next(pieces) == b"x" * 10
        if route == "another":
            group = shop.plugins / "duck" / "group.yaml"
            group.write_text(group.read_text().replace("/wait", "/elsewhere"))
        shop.edit("duck", "new")
        served.comes_to_say("duck", "new")
        gate.open()
        assert b"".join(pieces) == b"last"


def test_a_request_that_waits_for_a_place_is_answered_by_the_new_versions_routes(
    serve: Serve, shop: Shop, tmp_path: Path
) -> None:
    """The interfaces change their order, so that a place in the old list would be another source in the new one."""
    shop.put("duck", "old")
    served = serve(concurrency=1)
    group = shop.plugins / "duck" / "group.yaml"
    head, first, second = group.read_text().split("- path")
    with (
        Gate(tmp_path / "gate") as gate,
        Gate(tmp_path / "arrived") as arrived,
        Client(served.url) as holder,
        Client(served.url) as waiter,
    ):
        holder.send(plain(f"/e/duck/wait?gate={gate.path}&arrived={arrived.path}"))
        arrived.wait()
        waiter.send(plain("/e/duck/"))
        shop.edit("duck", "new")
        group.write_text(f"{head}- path{second}- path{first}")
        assert waiter.read().body == b"new"
        gate.open()
        assert holder.read().body == b"waited"


@pytest.mark.parametrize("change", ["exchanged", "removed"])
def test_a_request_whose_body_comes_after_the_change_is_answered_by_the_new_versions_routes(
    serve: Serve, shop: Shop, change: str
) -> None:
    shop.put("duck", "old")
    served = serve()
    group = shop.plugins / "duck" / "group.yaml"
    head, first, second = group.read_text().split("- path")
    with Client(served.url) as client:
        target = "/e/duck/" if change == "exchanged" else "/e/duck/wait"
        client.send(plain(target, "Content-Length: 5", "Expect: 100-continue"))
        assert client.read_interim() == 100
        shop.edit("duck", "new")
        group.write_text(f"{head}- path{second}- path{first}" if change == "exchanged" else f"{head}- path{first}")
        served.comes_to_say("duck", "new")
        client.send(b"hello")
        answer = client.read()
        assert answer.body == b"new" if change == "exchanged" else answer.code == "interface_unknown"
