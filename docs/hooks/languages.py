"""A page below zh/ says that it is in Chinese, so that browsers choose its fonts and its breaks, and read it out."""

from __future__ import annotations

from typing import Any


def on_post_page(output: str, /, *, page: Any, config: Any) -> str:
    """MkDocs asks for each page."""
    return output.replace('<html lang="en"', '<html lang="zh-Hans"', 1) if page.url.startswith("zh/") else output
