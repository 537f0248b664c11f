"""Plugins as the pages show them, and the log that is followed."""

import shutil
from pathlib import Path

import httpx
import pytest

from support.console import BRIDGE, Console, Operator, running_console
from support.eventually import eventually
from support.plugins import write_plugin
from support.raw_http import ask


def test_every_folder_is_there_with_its_trouble(operator: Operator) -> None:
    text = operator.get("/console/plugins").text
    for name in ("test/chat-bridge", "test/slow", "test/stock", "endpointd/neko", "half-copied"):
        assert name in text
    assert "the warehouse at db.internal:5432 does not answer" in text
    assert '<span class="badge refused">REFUSED</span>' in text


def test_a_plugins_page_tells_of_its_failure_and_shows_its_log(operator: Operator) -> None:
    text = operator.get("/console/plugins/test/stock").text
    assert '<span class="badge fatal">FATAL</span>' in text
    assert "load_failed" in text
    assert "reading the stock list" in text


def test_a_folder_that_is_broken_is_shown_until_it_is_mended(operator: Operator, console: Console) -> None:
    pages = [f"/console/plugins{path}" for path in ("", "/test/fickle")]

    def shows(*texts: str) -> bool:
        return all(text in operator.get(page).text for page, text in zip(pages, texts, strict=True))

    folder = write_plugin(console.state.parent / "plugins", "fickle", {"a.py": BRIDGE}, [("GET", "/", "a.py")])
    try:
        eventually(lambda: shows("test/fickle", '<span class="badge running">'))
        (folder / "a.py").write_text("class (")
        eventually(lambda: shows("an older version than the folder", "The version before goes on answering."))
        assert shows("a.py:1", "a.py:1")
        (folder / "a.py").write_text(BRIDGE)
        eventually(lambda: shows("test/fickle", "Last failure, which is over"))
        assert "a.py:1" not in operator.get(pages[0]).text
    finally:
        shutil.rmtree(folder)


def test_buttons_do_what_they_say(operator: Operator) -> None:
    path = "/console/plugins/endpointd/neko"
    answer = operator.post(f"{path}/stop", Accept="application/json")
    assert answer.json() == {"tone": "good", "text": "endpointd/neko was stopped."}
    assert '<span class="badge stopped">STOPPED</span>' in operator.get(path).text
    back = operator.post(f"{path}/start", {"from": "plugins"})
    assert (back.status_code, back.headers["location"]) == (303, "/console/plugins")
    page = operator.get("/console/plugins").text
    assert "endpointd/neko was started and runs." in page
    assert "endpointd/neko was started and runs." not in operator.get("/console/plugins").text


def test_what_does_not_come_about_is_told_with_its_reason(operator: Operator) -> None:
    answer = operator.post("/console/plugins/test/stock/restart", Accept="application/json")
    assert answer.json()["tone"] == "bad"
    assert "test/stock" in answer.json()["text"]
    answer = operator.post("/console/plugins/endpointd/neko/rollback", Accept="application/json")
    assert answer.json()["tone"] == "bad"


def test_requests_are_in_the_figures(operator: Operator, console: Console) -> None:
    for _ in range(20):
        assert ask(console.gateway, "/e/neko/").status == 200
    path = "/console/plugins/endpointd/neko"
    eventually(lambda: " ms <small>median" in operator.get(path, X_Console_Live="1").text)


def test_a_log_is_followed(operator: Operator) -> None:
    with operator.client.stream("GET", "/console/plugins/test/slow/log") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert next(lines) == "event: begin"
        while "running" not in next(lines):
            pass
        operator.post("/console/plugins/test/slow/restart")
        while "running" not in next(lines):
            pass


@pytest.mark.parametrize("path", ["/console/plugins/test/nobody/log"])
def test_there_is_no_log_of_nobody(operator: Operator, path: str) -> None:
    assert operator.get(path).status_code == 404


def test_a_folder_whose_name_is_no_text_takes_the_page_from_nobody(tmp_path: Path) -> None:
    folder = tmp_path / "plugins" / "caf\udce9"
    folder.mkdir(parents=True)
    (folder / "manifest.yaml").write_text("name: [")
    with running_console(tmp_path) as console, httpx.Client(base_url=console.url, timeout=20) as client:
        answer = Operator(client, console.token).get("/console/plugins")
    assert (answer.status_code, "caf\\udce9" in answer.text) == (200, True)
