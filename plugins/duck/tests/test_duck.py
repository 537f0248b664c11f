"""The duck in a worker of its own."""

import pytest

from endpointd.testing import PluginClient, PluginLoader


@pytest.fixture
def duck(load_plugin: PluginLoader) -> PluginClient:
    return load_plugin()


def test_answers_with_the_app_id_of_the_path(duck: PluginClient) -> None:
    answer = duck.get("/duck/donald")
    assert (answer.status_code, answer.text) == (200, "donald <br>")
    assert answer.headers["content-type"].startswith("text/html")
    # A generator has no length, so it is sent as a stream.
    assert "content-length" not in answer.headers


def test_the_app_id_cannot_bring_markup_into_the_page(duck: PluginClient) -> None:
    assert duck.get("/duck/%3Cscript%3E").text == "&lt;script&gt; <br>"


def test_only_the_declared_route_answers(duck: PluginClient) -> None:
    assert duck.get("/duck/").status_code == 404
    assert duck.get("/duck/donald/duck").status_code == 404
    refused = duck.post("/duck/donald")
    assert refused.status_code == 405
    assert "GET" in refused.headers["allow"]
