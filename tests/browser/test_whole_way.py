"""An operator's whole way: sign in, create, see URLs, try it, edit without touching the secret, disable, delete."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from support.console import Console
from support.raw_http import ask

SECRET = "xoxb-only-the-bot-knows"

Visit = Callable[..., Page]


def says(console: Console, url: str) -> str:
    return ask(console.gateway, url.removeprefix(console.gateway), method="POST", body=b"hello").body.decode()


def test_the_whole_way(console: Console, visit: Visit) -> None:
    page = visit(signed_in=False, permissions=["clipboard-read", "clipboard-write"])
    _signs_in(page, console)
    _creates(page)
    url = _sees_and_copies_urls(page, console)
    _tries(page)
    _edits(page)
    assert f"token of {len(SECRET)}, region us" in says(console, url)
    _disables(page)
    assert "endpoint_disabled" in says(console, url)
    _deletes(page)
    assert "endpoint_unknown" in says(console, url)


def test_a_second_click_makes_no_second_endpoint(visit: Visit) -> None:
    page = visit()
    page.goto("/console/endpoints/new?plugin=test/chat-bridge")
    page.get_by_label("Name").fill("Only one")
    page.get_by_label("Bot token").fill(SECRET)
    posted: list[str] = []
    page.on("request", lambda request: posted.append(request.method) if request.method == "POST" else None)
    page.evaluate(
        """async () => {
            const create = document.querySelector("main .buttons button");
            create.click();
            // The first one is under way now.
            await new Promise((go) => setTimeout(go));
            create.click();
        }"""
    )
    expect(page.get_by_role("heading", name="Only one")).to_be_visible()
    page.goto("/console/endpoints")
    expect(page.get_by_role("link", name="Only one")).to_have_count(1)
    assert posted == ["POST"]
    page.get_by_role("link", name="Only one").click()
    page.get_by_role("link", name="Delete…").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="There are no endpoints yet")).to_be_visible()


def _signs_in(page: Page, console: Console) -> None:
    page.goto("/")
    expect(page).to_have_title("Sign in · endpointd")
    page.get_by_label("Token").fill("endpointd_wrong")
    page.keyboard.press("Enter")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("You are not signed in: there is no such token")
    expect(alert).to_be_focused()
    page.get_by_label("Token").fill(console.token)
    page.keyboard.press("Enter")
    expect(page).to_have_title("Plugins · endpointd")


def _creates(page: Page) -> None:
    page.get_by_role("link", name="Endpoints").click()
    page.get_by_role("link", name="Add endpoint").first.click()
    page.get_by_label("Plugin").select_option("test/chat-bridge")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_label("Greeting")).to_have_value("Hello!")
    expect(page.get_by_label("Region")).to_have_value("eu")
    expect(page.get_by_label("Bot token")).to_have_attribute("placeholder", "xoxb-…")
    page.get_by_label("Name").fill("Support")
    # The token is missing.
    page.get_by_role("button", name="Create").click()
    summary = page.get_by_role("alert")
    expect(summary).to_be_focused()
    summary.get_by_role("link", name="Bot token").click()
    token = page.get_by_label("Bot token")
    expect(token).to_be_focused()
    expect(token).to_have_accessible_description(re.compile("A value is required"))
    expect(token).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Name")).to_have_value("Support")
    page.keyboard.type(SECRET)
    expect(token).to_have_attribute("type", "password")
    page.get_by_label("Show what is entered").first.check()
    expect(token).to_have_attribute("type", "text")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("status").first).to_have_text("The endpoint “Support” was created.")


def _sees_and_copies_urls(page: Page, console: Console) -> str:
    expect(page.get_by_role("heading", name="Support")).to_be_visible()
    shown = page.locator(".url").first
    expect(shown).to_have_text(re.compile(rf"^{re.escape(console.gateway)}/e/\w+/channels/<channel>/messages$"))
    page.get_by_role("button", name="Copy POST").click()
    expect(page.locator("#told")).to_have_text("Copied.")
    copied: str = page.evaluate("navigator.clipboard.readText()")
    assert copied == shown.text_content()
    return copied.replace("<channel>", "general")


def _tries(page: Page) -> None:
    page.get_by_text("Try it").first.click()
    page.get_by_label("Path: channel").fill("general")
    page.get_by_label("Headers, one a line").fill("X-Sender: Ada")
    page.get_by_label("Body", exact=True).fill("good morning")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".answer-line")).to_have_text(re.compile(r"^200 OK · \d+ B in \d+ ms$"))
    body = page.get_by_label("Body of the answer")
    expect(body).to_contain_text("to general with Ada: good morning")
    expect(body).to_contain_text(f"token of {len(SECRET)}, region eu, again False")


def _edits(page: Page) -> None:
    page.get_by_role("link", name="Edit").click()
    token = page.get_by_label("Bot token")
    expect(token).to_have_value("")
    expect(token).to_have_attribute("placeholder", re.compile("stored; leave empty to keep it"))
    assert SECRET not in page.content()
    page.get_by_label("Name").fill("Support in America")
    page.get_by_label("Region").select_option(label="United States")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Support in America")).to_be_visible()
    expect(page.get_by_text("United States")).to_be_visible()
    assert SECRET not in page.content()


def _disables(page: Page) -> None:
    page.get_by_role("button", name="Disable").click()
    expect(page.locator(".badge", has_text="OFF")).to_be_visible()
    expect(page.get_by_text("every request is answered with 404")).to_be_visible()


def _deletes(page: Page) -> None:
    page.get_by_role("link", name="Delete…").click()
    expect(page.get_by_role("heading", name="Delete “Support in America”?")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="There are no endpoints yet")).to_be_visible()


def test_the_form_works_without_scripts(visit: Visit) -> None:
    page = visit(java_script_enabled=False)
    page.goto("/console/endpoints/new?plugin=test/chat-bridge")
    page.get_by_label("Bot token").fill(SECRET)
    page.get_by_role("button", name="Create").click()
    page.get_by_text("Try it").first.click()
    page.get_by_label("Path: channel").fill("general")
    page.get_by_label("Body", exact=True).fill("good morning")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_label("Body of the answer")).to_contain_text("to general with None: good morning")
    page.get_by_role("link", name="Endpoints").click()
    page.get_by_role("link", name="chat-bridge", exact=True).click()
    page.get_by_role("link", name="Delete…").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="There are no endpoints yet")).to_be_visible()


def test_the_form_is_in_the_browsers_language(visit: Visit) -> None:
    page = visit(locale="zh-CN")
    page.goto("/console/endpoints/new?plugin=test/chat-bridge")
    expect(page.get_by_label("机器人令牌")).to_have_attribute("type", "password")
    expect(page.get_by_label("问候语")).to_have_attribute("placeholder", "机器人先说的话")
    # What the plugin has not said in it is English.
    expect(page.get_by_label("Signing secret")).to_be_visible()


def test_a_key_of_several_lines_keeps_them(console: Console, visit: Visit) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    page.goto("/console/endpoints/new?plugin=test/chat-bridge")
    key = "-----BEGIN KEY-----\nabc\n-----END KEY-----\n"
    page.evaluate("text => navigator.clipboard.writeText(text)", key)
    page.get_by_label("Bot token").focus()
    page.keyboard.press("Control+V")
    expect(page.get_by_label("Bot token")).to_have_value(key)
    page.get_by_role("button", name="Create").click()
    url = page.locator(".url").first.text_content() or ""
    assert f"token of {len(key)}," in says(console, url.replace("<channel>", "x"))
    page.get_by_role("link", name="Delete…").click()
    page.get_by_role("button", name="Delete").click()


def test_an_endpoint_that_a_file_declares_is_only_shown(console: Console, visit: Visit) -> None:
    console.declare({"plugin": "test/slow", "name": "Declared", "hook_id": "declared"})
    page = visit()
    page.goto("/console/endpoints")
    page.get_by_role("link", name="Declared").click()
    expect(page.get_by_text("A file declares this endpoint")).to_be_visible()
    for name in ("Edit", "Disable", "Delete…"):
        expect(page.get_by_text(name, exact=True)).to_have_count(0)
    page.goto(f"{page.url}/edit")
    expect(page.get_by_text("one of those that a file declares")).to_be_visible()
    console.declare()
