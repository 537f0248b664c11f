"""A daemon that follows a file of endpoints."""

from collections.abc import Callable
from pathlib import Path

import pytest

from endpointd.admin.client import Client
from endpointd.errors import OperatorError
from live.conftest import Served, Shop
from live.test_endpoints import GREETING, SECRET, TOKEN, Operator, put
from support.eventually import eventually

Serve = Callable[..., Served]
ONE = {"hook_id": "declared"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text(SECRET + "\n")
    file = tmp_path / "endpoints.yaml"
    write(file, "Hello")
    return file


def write(file: Path, greeting: str) -> None:
    file.write_text(
        "endpoints:\n"
        "  - plugin: test/teller\n"
        "    name: Declared\n"
        "    hook_id: declared\n"
        f"    settings: {{token: {{file: token}}, greeting: {greeting}}}\n"
    )


def test_what_is_declared_is_there_at_the_first_request_and_follows_the_file(
    serve: Serve, shop: Shop, file: Path
) -> None:
    put(shop, "first", TOKEN, GREETING)
    operator = Operator(serve(endpoints_file=file))
    assert operator.told(ONE) == {"first": {"token": SECRET, "greeting": "Hello"}}
    write(file, "Servus")
    operator.comes_to_tell(ONE, {"first": {"token": SECRET, "greeting": "Servus"}})
    file.write_text("endpoints: [\n")
    operator.served.daemon.wait_for_log('"endpoints.refused"')
    assert operator.told(ONE) == {"first": {"token": SECRET, "greeting": "Servus"}}
    file.write_text("endpoints: []\n")
    operator.comes_to_tell(ONE, "endpoint_unknown")
    assert SECRET not in operator.served.daemon.log()


def test_a_plugin_that_comes_later_gets_what_was_declared_for_it(serve: Serve, shop: Shop, file: Path) -> None:
    served = serve(endpoints_file=file)
    assert "endpoints[0].plugin" in served.daemon.wait_for_log('"endpoints.refused"')
    put(shop, "late", TOKEN, GREETING)
    Operator(served).comes_to_tell(ONE, {"late": {"token": SECRET, "greeting": "Hello"}})


def test_nobody_else_changes_what_a_file_declares(serve: Serve, shop: Shop, file: Path) -> None:
    put(shop, "first", TOKEN, GREETING)
    operator = Operator(serve(endpoints_file=file))
    with Client(operator.served.state) as client:
        (declared,) = client.endpoints()
        assert declared["origin"] == "file"
        for change in (
            lambda: client.change_endpoint(declared["id"], {"name": "x"}),
            lambda: client.switch_endpoint(declared["id"], enabled=False),
            lambda: client.delete_endpoint(declared["id"]),
        ):
            with pytest.raises(OperatorError) as caught:
                change()
            assert caught.value.code == "endpoint_declared"
        with pytest.raises(OperatorError) as caught:
            client.apply_endpoints({"endpoints": []}, dry_run=False)
        assert caught.value.code == "endpoints_file_set"
        assert client.apply_endpoints({"endpoints": []}, dry_run=True)["delete"][0]["name"] == "Declared"
    made = operator.create("Mine")
    write(file, "Servus")
    operator.comes_to_tell(ONE, {"first": {"token": SECRET, "greeting": "Servus"}})
    eventually(lambda: operator.told(made) == {"first": {"token": SECRET, "greeting": "Hello"}})
