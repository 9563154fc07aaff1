"""The theme speaks the language of the page: its own words, and `lang`, by which browsers choose forms of letters."""

from __future__ import annotations

from typing import Any


def on_page_context(context: Any, *, page: Any, config: Any, **_: Any) -> None:
    """Called before a page is put into the theme (https://www.mkdocs.org/dev-guide/plugins/#on_page_context)."""
    config.theme["language"] = "zh" if page.file.src_uri.startswith("zh/") else "en"
