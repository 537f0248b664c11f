"""Plugins as operators watch and control them."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from support.console import SLOW, Console
from support.packages import package_of
from support.plugins import write_plugin
from support.raw_http import ask

Visit = Callable[..., Page]


def test_a_plugin_is_stopped_and_started_from_the_table(visit: Visit) -> None:
    page = visit()
    neko = page.get_by_role("row").filter(has_text="endpointd/neko")
    neko.get_by_role("button", name="Stop").click()
    expect(page.locator("#told")).to_have_text("endpointd/neko was stopped.")
    expect(neko.locator(".badge")).to_have_text("STOPPED")
    # The button that was pressed is gone; its successor has the focus.
    start = neko.get_by_role("button", name="Start")
    expect(start).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#told")).to_have_text("endpointd/neko was started and runs.")
    expect(neko.locator(".badge")).to_have_text("RUNNING")


def test_what_goes_wrong_is_said_with_its_reason(visit: Visit) -> None:
    page = visit()
    page.get_by_role("link", name="test/stock").click()
    expect(page.get_by_role("heading", name="Last failure")).to_be_visible()
    expect(page.locator("main")).to_contain_text("the warehouse at db.internal:5432 does not answer")
    page.get_by_role("button", name="Restart").click()
    told = page.locator("#told")
    expect(told).to_have_class("told bad")
    expect(told).to_contain_text("test/stock")
    expect(page.locator(".badge.fatal")).to_be_visible()
    page.keyboard.press("Escape")
    expect(told).to_be_hidden()


def test_figures_and_charts_move_while_somebody_looks(console: Console, visit: Visit) -> None:
    page = visit()
    page.get_by_role("link", name="endpointd/neko").click()
    figure = page.locator(".figure").first
    for _ in range(30):
        assert ask(console.gateway, "/e/neko/").status == 200
    expect(figure).not_to_have_text(re.compile(r"^0 "))
    expect(page.locator(".figure").nth(1)).to_contain_text("ms median")
    expect(page.locator(".figure").nth(2)).to_contain_text("MiB")
    expect(page.locator(".chart.rate .line")).to_have_attribute("d", re.compile(r"^M[\d.]+,[\d.]+ L"))


def test_the_log_follows(visit: Visit) -> None:
    page = visit()
    page.goto("/console/plugins/test/slow")
    log = page.get_by_role("log")
    expect(page.locator("[data-log-state]")).to_have_text("as it is written")
    before = log.locator(".line").count()
    page.get_by_role("button", name="Restart").click()
    expect(page.locator("#told")).to_have_text("test/slow was restarted and runs.")
    expect(log.locator(".line")).not_to_have_count(before)
    expect(log.locator(".line").last).to_be_in_viewport()
    expect(page.get_by_label("Follow")).to_be_checked()


def test_pages_that_nobody_sees_leave_others_their_connections(visit: Visit) -> None:
    """A browser has six of them to a host, for all its tabs; each log that is followed takes one."""
    page = visit()
    hidden = "Object.defineProperty(document, 'visibilityState', {get: () => window.seen ?? 'hidden'})"
    page.context.add_init_script(hidden)
    tabs = [page.context.new_page() for _ in range(6)]
    for tab in tabs:
        tab.goto("/console/plugins/test/slow")
        expect(tab.locator("[data-log-state]")).to_contain_text("the newest")
    page.goto("/console/endpoints")
    expect(page.get_by_role("heading", name="Endpoints", exact=True)).to_be_visible()
    tabs[0].evaluate("window.seen = 'visible'; document.dispatchEvent(new Event('visibilitychange'))")
    expect(tabs[0].locator("[data-log-state]")).to_have_text("as it is written")


def test_an_answer_that_streams_is_shown_as_it_comes_and_cancelled(visit: Visit) -> None:
    page = visit()
    page.goto("/console/plugins/test/slow")
    page.get_by_text("Try it").first.click()
    page.get_by_role("button", name="Send").first.click()
    expect(page.get_by_label("Body of the answer").first).to_contain_text("the first piece")
    expect(page.locator(".answer-line").first).to_contain_text("receiving…")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".answer-line").first).to_contain_text("cancelled")
    expect(page.locator("dd").filter(has_text="0 under way")).to_be_visible()


def test_the_theme_is_kept(visit: Visit) -> None:
    page = visit(color_scheme="light")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_label("Theme").select_option("dark")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert light != dark
    page.get_by_role("link", name="Endpoints").click()
    expect(page.get_by_label("Theme")).to_have_value("dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark


def test_a_session_that_is_over_leads_to_the_door(console: Console, visit: Visit) -> None:
    token_id, secret = console.new_token("brief")
    page = visit(signed_in=False)
    page.goto("/console/plugins/endpointd/neko")
    page.get_by_label("Token").fill(secret)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="endpointd/neko")).to_be_visible()
    console.revoke(token_id)
    # Nobody has to do anything for it.
    expect(page.get_by_label("Token")).to_be_visible()


def test_one_can_go_by_keyboard_alone(visit: Visit) -> None:
    page = visit()
    page.goto("/console/plugins")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="endpointd/neko")).to_be_focused()
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_a_page_says_when_the_daemon_does_not_answer(visit: Visit) -> None:
    page = visit()
    page.context.set_offline(True)
    told = page.locator("#told")
    expect(told).to_have_text("The daemon does not answer; what is shown may be old.")
    page.context.set_offline(False)
    expect(told).to_have_text("The daemon answers again.")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_a_package_is_installed_in_the_browser(visit: Visit, tmp_path: Path, scripts: bool) -> None:
    name = "with-scripts" if scripts else "without-scripts"
    folder = write_plugin(tmp_path, name, {"a.py": SLOW}, [("GET", "/", "a.py")])
    good, bad = tmp_path / "good.difypkg", tmp_path / "bad.difypkg"
    good.write_bytes(package_of(folder))
    bad.write_bytes(b"this is no package")
    page = visit(java_script_enabled=scripts)
    page.get_by_label("Package", exact=True).set_input_files(bad)
    page.get_by_role("button", name="Install").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was installed")
    expect(page.get_by_label("Package", exact=True)).to_have_accessible_description(re.compile("is no zip.*at most 50"))
    page.get_by_label("Package", exact=True).set_input_files(good)
    page.get_by_role("button", name="Install").click()
    expect(page.get_by_role("heading", name=f"test/{name}")).to_be_visible()
    expect(page.locator("main")).to_contain_text(f"test/{name} 0.1.0 was installed and runs.")
    expect(page.locator("main")).to_contain_text("it is not signed")
    expect(page.locator(".badge.running").first).to_be_visible()
