"""Takes the pictures that docs/console.md shows: `make screenshots`."""

import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, expect

from support.browsing import running_chromium, sign_in
from support.console import ROOT, Console, Operator, furnish, running_console
from support.raw_http import ask

DESK = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}

LOAD = [
    ("GET", "/e/neko/", 0.03),
    ("GET", "/e/ticker/", 0.9),
    ("GET", "/e/echo/orders/17", 0.12),
    ("POST", "/e/support/channels/general/messages", 0.4),
]
"""What is asked, and the seconds between."""

LONG_ENOUGH = 75.0
"""Seconds of load, for charts with something in them."""


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, running_chromium() as chromium:
        root = Path(name)
        furnish(root / "plugins")
        for shipped in ("echo", "ticker"):
            shutil.copytree(
                ROOT / "plugins" / shipped, root / "plugins" / shipped, ignore=shutil.ignore_patterns("tests")
            )
        with running_console(root) as console:
            endpoint = make_endpoint(console)
            with under_load(console):
                take(console, endpoint, chromium, folder)


@contextmanager
def under_load(console: Console) -> Iterator[None]:
    over = threading.Event()

    def load(method: str, path: str, pause: float) -> None:
        wave = 0
        while not over.is_set():
            ask(console.gateway, path, method=method, body=b"{}" if method == "POST" else None)
            # Not all the same, so that there is something to see.
            wave += 1
            over.wait(pause * (1 + wave // 60 % 3))

    threads = [threading.Thread(target=load, args=each) for each in LOAD]
    for thread in threads:
        thread.start()
    try:
        over.wait(LONG_ENOUGH)
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def take(console: Console, endpoint: str, chromium: Browser, folder: Path) -> None:
    with visiting(console, chromium, DESK, "light") as page:
        page.screenshot(path=folder / "plugins.png")
        page.goto("/console/endpoints/new?plugin=test/chat-bridge")
        page.get_by_role("button", name="Create").click()
        expect(page.get_by_role("alert")).to_be_visible()
        page.screenshot(path=folder / "form.png")
        page.goto(endpoint)
        page.get_by_text("Try it").first.click()
        page.get_by_label("Path: channel").fill("general")
        page.get_by_label("Headers, one a line").fill("X-Sender: Ada")
        page.get_by_label("Body", exact=True).fill('{"text": "Good morning"}')
        page.get_by_role("button", name="Send").click()
        expect(page.locator(".answer-line").first).to_contain_text("200 OK")
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=folder / "try.png")
    with visiting(console, chromium, DESK, "dark") as page:
        page.goto("/console/plugins/test/chat-bridge")
        expect(page.locator("[data-log-state]")).to_have_text("as it is written")
        # The newest lines come in several pieces.
        page.wait_for_timeout(1500)
        page.screenshot(path=folder / "plugin.png")
    with visiting(console, chromium, PHONE, "dark") as page:
        page.screenshot(path=folder / "phone.png")


@contextmanager
def visiting(console: Console, chromium: Browser, viewport: dict[str, int], theme: str) -> Iterator[Page]:
    context = chromium.new_context(
        viewport=viewport,  # type: ignore[arg-type]
        color_scheme=theme,  # type: ignore[arg-type]
        base_url=console.url,
        locale="en-US",
    )
    page = context.new_page()
    sign_in(page, console.token)
    # What a first look cannot show: the figures after the next one.
    page.wait_for_timeout(500)
    yield page
    context.close()


def make_endpoint(console: Console) -> str:
    """Its page."""
    with httpx.Client(base_url=console.url, timeout=20) as client:
        operator = Operator(client, console.token)
        form = {"plugin": "test/chat-bridge", "name": "Support", "hook_id": "support", "enabled": "true"}
        token = {"settings.bot_token.shown": "1", "settings.bot_token": "xoxb-1234"}
        return str(operator.post("/console/endpoints/new", {**form, **token}).headers["location"])


if __name__ == "__main__":
    began = time.monotonic()
    main(Path(sys.argv[1]))
    sys.stdout.write(f"taken in {time.monotonic() - began:.0f} s\n")
