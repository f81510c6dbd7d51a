"""A page of kdrun in a real browser: Debian's chromium, driven by playwright, with the network watched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser; where there is none, or no playwright, the test is skipped, or fails under KDRUN_BROWSER=required."""
    missing = pytest.fail if os.environ.get("KDRUN_BROWSER") == "required" else pytest.skip
    try:
        import playwright.sync_api as playwright
    except ImportError:
        missing("needs playwright: pip install -e '.[dev]'")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        missing("needs a browser: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Shown:
    """A page that is open. `troubles`: errors of its scripts and what the console says; `asked`: requests beyond it."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.troubles: list[str] = []
        self.asked: list[str] = []
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("console", lambda message: self.troubles.append(message.text))
        page.on("request", lambda request: self.asked.append(request.url))

    def violations(self) -> list[str]:
        """What axe-core finds against the page as it is shown: the rule, and where."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        return [f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found for node in one["nodes"]]

    def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@contextmanager
def opened(browser: Any, file: Path, *, dark: bool = False, phone: bool = False) -> Iterator[Shown]:
    """A file in a window of its own, from which every request but for the file is refused."""
    context = browser.new_context(viewport=PHONE if phone else DESK, color_scheme="dark" if dark else "light")
    context.set_default_timeout(10_000)
    page = context.new_page()
    uri = file.resolve().as_uri()
    page.route("**/*", lambda route: route.continue_() if route.request.url == uri else route.abort())
    shown = Shown(page)
    page.goto(uri)
    shown.asked.remove(uri)
    yield shown
    context.close()
