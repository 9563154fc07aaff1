"""What tests do with a page in a browser: find a method, enter values, call it, and look."""

from __future__ import annotations

from typing import Any


def card(page: Any, name: str) -> Any:
    """A method, opened."""
    found = page.locator("details.method").filter(has=page.locator(f"summary b:text-is({name!r})"))
    if found.get_attribute("open") is None:
        found.locator("summary").first.click()
    return found


def call(page: Any, name: str, /, **values: str) -> Any:
    """Enter values and call a method; where its result is shown."""
    found = card(page, name)
    for key, value in values.items():
        entry(found, key).fill(value)
    found.get_by_role("button", name="Call").click()
    return found.locator(".result")


def entry(found: Any, key: str) -> Any:
    """Where the parameter is entered that has this name."""
    return found.locator(f".field[data-name='\"{key}\"'] .value").first


def figure(page: Any, name: str, column: str) -> Any:
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True)).locator(
        f"[data-column={column}]"
    )  # fmt: skip


def expect(*args: Any) -> Any:
    from playwright import sync_api

    return sync_api.expect(*args)
