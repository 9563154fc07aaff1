"""HTML that cannot be broken by what is put into it.

Rule: text becomes HTML here and nowhere else. Whatever is no `Markup` is text, and is escaped.
"""

from __future__ import annotations

import html
import re
from typing import Any

__all__ = ["Markup", "tag", "text"]

_VOID = frozenset({"input", "link", "meta"})
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")  # no text of HTML, or no UTF-8


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def text(value: Any) -> Markup:
    """Any text as HTML that shows it; what cannot be shown is a replacement character."""
    return value if isinstance(value, Markup) else Markup(html.escape(_UNSEEN.sub("\ufffd", str(value)), quote=True))


def tag(name: str, /, *inside: str, **attributes: str | bool | None) -> Markup:
    """An element.

    Args:
        name: its tag.
        inside: texts and elements.
        attributes: its attributes: True for one without a value, None and False for none. Underscores become hyphens;
            one at the end, as in ``class_``, is left out.
    """
    said = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{text(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Markup(f"<{name}{said}>")
    return Markup(f"<{name}{said}>{''.join(map(text, inside))}</{name}>")
