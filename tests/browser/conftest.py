"""A browser before the console of a real daemon.

Of one module each: as long as Playwright runs, nobody else in the process can have an event loop.
"""

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect

from support.browsing import running_chromium, sign_in
from support.console import Console, furnish, running_console

expect.set_options(timeout=10_000)

EXPECTED = ("status of 4", "net::ERR_ABORTED", "net::ERR_INTERNET_DISCONNECTED")
"""What browsers note of answers that are refused on purpose, and of connections that tests break."""


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    root = tmp_path_factory.mktemp("console")
    furnish(root / "plugins")
    with running_console(root) as running:
        yield running


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with running_chromium() as browser:
        yield browser


class Complaints:
    """What the browser complains about, and whom it asks besides the console."""

    def __init__(self, console: Console) -> None:
        self._host = urlsplit(console.url).netloc
        self.found: list[str] = []

    def watch(self, page: Page) -> None:
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.found.append(str(error)))
        page.on("request", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(one in message.text for one in EXPECTED):
            self.found.append(message.text)

    def _asked(self, request: Request) -> None:
        if urlsplit(request.url).netloc != self._host:
            self.found.append(f"it asks {request.url}")


Visit = Callable[..., Page]


@pytest.fixture
def visit(chromium: Browser, console: Console) -> Iterator[Visit]:
    """Opens the console as a new visitor. At the end nothing may have gone wrong in any of the pages."""
    complaints = Complaints(console)
    contexts: list[BrowserContext] = []

    def open_page(*, signed_in: bool = True, **options: object) -> Page:
        given = {"viewport": {"width": 1280, "height": 800}, "base_url": console.url, "locale": "en-US", **options}
        context = chromium.new_context(**given)  # type: ignore[arg-type]
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        complaints.watch(page)
        if signed_in:
            sign_in(page, console.token)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints.found == []
