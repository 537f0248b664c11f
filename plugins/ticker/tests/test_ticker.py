"""The ticker through a real daemon: its events one by one, its resume, its farewell."""

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path

import httpx
import pytest

from endpointd.testing import DaemonStarter, RunningDaemon

FOLDER = Path(__file__).parents[1]

Fields = dict[str, str]


@pytest.fixture(scope="module")
def daemon(start_daemon_for_module: DaemonStarter) -> RunningDaemon:
    return start_daemon_for_module.one(FOLDER)


@pytest.fixture
def ticker(daemon: RunningDaemon) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{daemon.url}/e/ticker/", timeout=10, trust_env=False) as client:
        yield client


def read_events(answer: httpx.Response) -> Iterator[Fields]:
    """The blocks of the stream as they come in, each as its fields; comments are left out."""
    fields: Fields = {}
    for line in answer.iter_lines():
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields and not line:
            yield fields
            fields = {}


def test_events_come_numbered_and_timed(ticker: httpx.Client) -> None:
    with ticker.stream("GET", "events", params={"interval": "0.05"}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        retry, *ticks = islice(read_events(answer), 4)
    assert retry == {"retry": "2000"}
    assert [(tick["id"], tick["event"]) for tick in ticks] == [("1", "tick"), ("2", "tick"), ("3", "tick")]
    data = [json.loads(tick["data"]) for tick in ticks]
    assert [each["number"] for each in data] == [1, 2, 3]
    first, second, third = (datetime.fromisoformat(each["time"]) for each in data)
    assert min(second - first, third - second).total_seconds() >= 0.05


def test_an_event_does_not_wait_for_the_next(ticker: httpx.Client) -> None:
    # The second one is a minute away, and the client's patience is ten seconds.
    with ticker.stream("GET", "events", params={"interval": "60"}) as answer:
        _, tick = islice(read_events(answer), 2)
    assert tick["id"] == "1"


def test_a_client_that_comes_back_goes_on_where_it_stopped(ticker: httpx.Client) -> None:
    for last_id, next_id in (("41", "42"), ("0", "1"), ("", "1"), ("-3", "1"), ("9" * 5000, "1")):
        with ticker.stream("GET", "events", headers={"Last-Event-ID": last_id}) as answer:
            _, tick = islice(read_events(answer), 2)
        assert tick["id"] == next_id, last_id


def test_a_client_that_leaves_is_noticed_between_two_events(daemon: RunningDaemon, ticker: httpx.Client) -> None:
    with ticker.stream("GET", "events", params={"interval": "60"}, headers={"Last-Event-ID": "6"}) as answer:
        next(answer.iter_bytes())
        daemon.wait_for_log("client came, its first event is 7")
        assert "client left, its last event was 7" not in daemon.log()
    daemon.wait_for_log("client left, its last event was 7", timeout=2)


def test_an_interval_out_of_bounds_is_refused(ticker: httpx.Client) -> None:
    for interval in ("0", "-1", "0.049", "60.1", "nan", "inf", "soon", ""):
        answer = ticker.get("events", params={"interval": interval})
        assert answer.status_code == 400, interval
        assert "interval must be" in answer.text


def test_page_listens_to_the_events(ticker: httpx.Client) -> None:
    page = ticker.get("")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert 'new EventSource("events?interval="' in page.text
