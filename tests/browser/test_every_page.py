"""Every page, at a desk in light and on a phone in dark: nothing sticks out, and axe has nothing to complain about."""

from collections.abc import Callable

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from support.browsing import sign_in
from support.console import Console, Operator

Visit = Callable[..., Page]
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 800}

PAGES = [
    "/console/plugins",
    "/console/plugins/endpointd/neko",
    "/console/plugins/test/stock",
    "/console/endpoints",
    "/console/endpoints/new",
    "/console/endpoints/new?plugin=test/chat-bridge",
    "{endpoint}",
    "{endpoint}/edit",
    "{endpoint}/delete",
    "/console/nothing",
]


@pytest.fixture(scope="module")
def endpoint(console: Console) -> str:
    """The page of an endpoint with a long name."""
    with httpx.Client(base_url=console.url, timeout=20) as client:
        operator = Operator(client, console.token)
        name = "Support of the northern warehouses and of everybody who buys from them"
        form = {"plugin": "test/chat-bridge", "name": name, "enabled": "true"}
        token = {"settings.bot_token.shown": "1", "settings.bot_token": "x"}
        return str(operator.post("/console/endpoints/new", {**form, **token}).headers["location"])


def examine(page: Page) -> None:
    """AssertionError: something is wider than the screen, or breaks a rule of accessibility."""
    width = page.viewport_size["width"] if page.viewport_size else 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{page.url} is wider than the screen"
    found = Axe().run(page)
    assert found.violations_count == 0, f"{page.url}\n{found.generate_report()}"


@pytest.mark.parametrize("width", [1280, 320])
def test_words_without_end_stay_on_the_screen(visit: Visit, width: int) -> None:
    page = visit(viewport={"width": width, "height": 800})
    page.goto("/console/endpoints/new?plugin=test/chat-bridge")
    labels = page.locator("main label span, legend span")
    labels.evaluate_all("(found) => found.forEach((label) => (label.textContent = 'long'.repeat(200)))")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(
    ("viewport", "theme"), [(DESK, "light"), (PHONE, "dark")], ids=["at a desk, light", "on a phone, dark"]
)
def test_every_page(console: Console, visit: Visit, endpoint: str, viewport: dict[str, int], theme: str) -> None:
    page = visit(signed_in=False, viewport=viewport, color_scheme=theme)
    page.goto("/console/sign-in")
    examine(page)
    sign_in(page, console.token)
    for path in PAGES:
        page.goto(path.format(endpoint=endpoint))
        examine(page)
    page.goto("/console/endpoints/new?plugin=test/chat-bridge")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("alert")).to_be_visible()
    examine(page)
    page.goto("/console/plugins")
    page.get_by_label("Package", exact=True).set_input_files({"name": "x", "mimeType": "x/y", "buffer": b"x"})
    page.get_by_role("button", name="Install").click()
    expect(page.get_by_role("alert")).to_be_visible()
    examine(page)
    page.goto(endpoint)
    page.get_by_text("Try it").first.click()
    page.get_by_label("Path: channel").fill("general")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".answer-line").first).to_contain_text("200 OK")
    examine(page)
