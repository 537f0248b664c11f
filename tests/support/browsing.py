"""A Chromium to drive, Playwright's own or the system's where that is there, and the console's door for it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Error, Page, expect, sync_playwright

SYSTEM = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """AssertionError: there is none."""
    executable = next((found for name in SYSTEM if (found := shutil.which(name)) is not None), None)
    # Chromium's own sandbox refuses to be root's.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=executable, args=arguments)
        except Error as error:
            raise AssertionError(f"there is no Chromium for the tests; run .ci/browser ({error.message})") from error
        try:
            yield browser
        finally:
            browser.close()


def sign_in(page: Page, token: str) -> None:
    page.goto("/console/sign-in")
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Plugins", exact=True)).to_be_visible()
