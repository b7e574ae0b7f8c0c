"""A page in a real browser: the machine's own Chromium, driven by Playwright."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
WIDE = {"viewport": {"width": 1400, "height": 900}}
MODES: dict[str, dict[str, Any]] = {
    "light": WIDE,
    "dark": {**WIDE, "color_scheme": "dark"},
    "phone": PHONE,
    "dark phone": {**PHONE, "color_scheme": "dark"},
}


@dataclass
class Opened:
    """A page that was opened, with all that went wrong since."""

    page: Page
    errors: list[str] = field(default_factory=list)
    """Errors in the console, and those that no script caught."""
    outside: list[str] = field(default_factory=list)
    """Addresses outside the page that were asked for."""

    def violations(self, *rules: str) -> list[str]:
        """Rules of accessibility that axe-core finds broken, each with its first element.

        Args:
            rules: the only ones to look at; all if omitted.
        """
        options = {"runOnly": list(rules)} if rules else None
        found = Axe().run(self.page, options=options).response["violations"]
        return [f"{one['id']} x {len(one['nodes'])}: {one['nodes'][0]['html']}" for one in found]


def chromium() -> str:
    """The browser's program; without one, the test or the whole file that asks is skipped."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        names = ", ".join(NAMES)
        pytest.skip(f"no browser to try the page in: {names}", allow_module_level=True)
    return program


@contextlib.contextmanager
def running() -> Iterator[Browser]:
    """A browser, for the tests of one file: others must not find its event loop running."""
    program = chromium()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=OPTIONS)
        yield browser
        browser.close()


@contextlib.contextmanager
def opened(browser: Browser, file: Path, **options: Any) -> Iterator[Opened]:
    """Open a file in a window of its own; options as in `MODES`."""
    context = browser.new_context(**options)
    found = Opened(context.new_page())

    def note(request: Any) -> None:
        if not request.url.startswith(("file:", "data:", "blob:")):
            found.outside.append(request.url)

    found.page.on("request", note)
    found.page.on("pageerror", lambda error: found.errors.append(str(error)))
    found.page.on("console", lambda m: m.type == "error" and found.errors.append(m.text))
    found.page.goto(file.as_uri())
    yield found
    context.close()
