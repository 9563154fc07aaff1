"""A real browser: Debian's Chromium without a window, driven by Playwright.

Each test starts its own, so that nothing that it leaves can be another's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from elsewhere import Service
from tests.require import ROOT, require

PATIENCE = 30_000  # milliseconds for whatever is waited for, on a machine with other work
ARGUMENTS = [
    "--no-sandbox",  # which root has not
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PICTURES = ROOT / "build" / "page"  # what the page looked like, for whoever wants to see


class Browsing:
    """Pages of services, in one browser.

    Attributes:
        complaints: what the browser had to say: errors of scripts, and what the page's policy has blocked.
    """

    def __init__(self, browser: Any, stack: contextlib.ExitStack) -> None:
        self._browser = browser
        self._stack = stack
        self.complaints: list[str] = []

    def open(
        self,
        service: Service,
        path: str = "/",
        *,
        address: str = "http://127.0.0.1:0",
        start: dict[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """Serve it, and show its page; `options` are those of a browser's context."""
        running = self._stack.enter_context(service.start(address, **(start or {})))
        return self.show(running.addresses[0].rstrip("/") + path, **options)

    def show(self, url: str, **options: Any) -> Any:
        """Show an address."""
        context = self._browser.new_context(**options)
        self._stack.callback(context.close)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", self._dialog)
        page.goto(url)
        return page

    def _dialog(self, dialog: Any) -> None:
        self.complaints.append(f"a dialog: {dialog.message}")
        dialog.dismiss()


@pytest.fixture
def browsing() -> Iterator[Browsing]:
    api = require(module="playwright.sync_api", install="pip install playwright")
    chromium = require(program="chromium", install=".ci/peers chromium")
    api.expect.set_options(timeout=PATIENCE)
    with api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=ARGUMENTS, timeout=2 * PATIENCE)
        try:
            with contextlib.ExitStack() as stack:
                yield Browsing(browser, stack)
        finally:
            browser.close()


@pytest.fixture
def picture() -> Callable[[Any, str], None]:
    """Keep what a page looks like, as build/page/NAME.png."""

    def take(page: Any, name: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(PICTURES / f"{name}.png"), animations="disabled")
        assert (PICTURES / f"{name}.png").stat().st_size > 10_000

    return take
