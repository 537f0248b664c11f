"""The duck through a real daemon."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from endpointd.testing import DaemonStarter

FOLDER = Path(__file__).parents[1]


@pytest.fixture
def duck(start_daemon: DaemonStarter) -> Iterator[httpx.Client]:
    daemon = start_daemon.one(FOLDER)
    with httpx.Client(base_url=f"{daemon.url}/e/duck/", timeout=10, trust_env=False) as client:
        yield client


def test_answers_with_the_app_id_of_the_path(duck: httpx.Client) -> None:
    answer = duck.get("duck/donald")
    assert (answer.status_code, answer.text) == (200, "donald <br>")
    assert answer.headers["content-type"].startswith("text/html")
    # A generator has no length, so it is sent as a stream.
    assert "content-length" not in answer.headers


def test_the_app_id_cannot_bring_markup_into_the_page(duck: httpx.Client) -> None:
    assert duck.get("duck/%3Cscript%3E").text == "&lt;script&gt; <br>"


def test_only_the_declared_route_answers(duck: httpx.Client) -> None:
    assert duck.get("duck/").status_code == 404
    assert duck.get("duck/donald/duck").status_code == 404
    refused = duck.post("duck/donald")
    assert refused.status_code == 405
    assert "GET" in refused.headers["allow"]
