"""Who may call an endpoint, said in the console's form."""

from collections.abc import Callable

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

Visit = Callable[..., Page]


def test_rules_are_refused_told_kept_and_shown(visit: Visit) -> None:
    page = visit()
    page.goto("/console/endpoints/new?plugin=endpointd/neko")
    page.get_by_label("Name *").fill("Guarded")
    expect(page.get_by_label("Rate", exact=True)).not_to_be_visible()
    page.get_by_text("Who may call").click()
    page.get_by_label("Addresses that may call").fill("127.0.0.0/8, unix")
    page.get_by_label("Rate", exact=True).fill("often")
    page.get_by_label("Pages that may call").fill("https://app.example.com")
    page.get_by_role("button", name="Create").click()
    # What is wrong is in sight, and what was right is still there.
    expect(page.get_by_role("alert")).to_contain_text("a rate is a number, a slash and s, min, h or d")
    expect(page.get_by_label("Rate", exact=True)).to_be_visible()
    expect(page.get_by_label("Addresses that may call")).to_have_value("127.0.0.0/8, unix")
    assert Axe().run(page).violations_count == 0
    page.get_by_label("Rate", exact=True).fill("1/h")
    page.get_by_label("Pages may send cookies").check()
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_text("1/h")).to_be_visible()
    expect(page.get_by_text("https://app.example.com")).to_be_visible()
    url = page.locator(".url").first.text_content() or ""
    assert [page.request.get(url).status for _ in range(2)] == [200, 429]
    page.get_by_role("link", name="Edit").click()
    expect(page.get_by_label("Pages may send cookies")).to_be_checked()
    page.get_by_label("Rate", exact=True).fill("")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("1/h")).not_to_be_visible()
    assert page.request.get(url).status == 200
    page.get_by_role("link", name="Delete…").click()
    page.get_by_role("button", name="Delete").click()
