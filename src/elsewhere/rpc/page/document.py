"""The page's HTML: every method with its signature, its documentation, its figures and its form."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from elsewhere.rpc.page.forms import form
from elsewhere.rpc.page.markup import Markup, tag
from elsewhere.rpc.serving.methods.registry import Method

if TYPE_CHECKING:
    from elsewhere.rpc.service import Service

__all__ = ["document"]

_COLUMNS = {
    "calls": "Calls that have ended",
    "errors": "Those of them that raised, or were too late",
    "running": "Calls under way",
    "mean": "Of the calls that have ended",
    "longest": "Of the calls that have ended",
}


def document(service: Service, root: str) -> bytes:
    """The page.

    Args:
        service: whose methods it shows.
        root: the path below which all of it is served, without a slash at its end.
    """
    methods = dict(service._registry.methods)
    title = service.name or "Service"
    page = tag(
        "html",
        _head(title, root),
        tag("body", _top(title), _main(methods), data_root=root, data_token=service._token is not None),
        lang="en",
    )
    return b"<!doctype html>\n" + page.encode()


def _head(title: str, root: str) -> Markup:
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("title", title),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("link", rel="icon", type="image/svg+xml", href=f"{root}/page/icon.svg"),
        tag("link", rel="stylesheet", href=f"{root}/page/page.css"),
        tag("script", type="module", src=f"{root}/page/page.js"),
    )


def _top(title: str) -> Markup:
    search = tag(
        "input",
        type="search",
        id="search",
        placeholder="Search",
        autocomplete="off",
        spellcheck="false",
        aria_label="Search methods",
        aria_keyshortcuts="/",
    )
    lamp = tag("span", class_="lamp")
    state = tag("p", lamp, tag("span", "not connected", class_="said"), id="state", role="status")
    finder = tag("div", search, tag("kbd", "/", aria_hidden="true"), class_="search", role="search")
    silent = "This page shows figures and calls methods with JavaScript, which is turned off."
    return Markup(
        tag("a", "Skip to the methods", class_="skip", href="#methods")
        + tag("header", tag("h1", title), state, tag("a", "Figures", class_="jump", href="#figures"), finder)
        + tag("noscript", tag("p", silent, class_="notice"))
    )


def _main(methods: Mapping[str, Method]) -> Markup:
    cards = [_card(method, number) for number, method in enumerate(methods.values())]
    if not cards:
        cards = [tag("p", "This service has no methods.", class_="notice")]
    found = tag("p", "No method matches.", id="none", class_="notice", role="status", hidden=True)
    return tag(
        "main",
        tag("section", tag("h2", "Methods"), *cards, found, id="methods", tabindex="-1", aria_label="Methods"),
        tag("section", tag("h2", "Figures"), _figures(methods), id="figures", aria_label="Figures"),
    )


def _anchor(name: str) -> str:
    return "m-" + quote(name, safe="", errors="replace")


def _card(method: Method, number: int) -> Markup:
    first, _, rest = method.doc.strip().partition("\n")
    summary = tag(
        "summary",
        tag("code", tag("b", method.name), method.schema.signature, class_="signature"),
        tag("span", class_="count", aria_hidden="true"),
        tag("span", first, class_="first") if first else "",
    )
    rest = inspect.cleandoc(rest)
    return tag(
        "details",
        summary,
        tag(
            "div",
            tag("p", *_marks(method), class_="marks"),
            tag("div", rest, class_="doc") if rest else "",
            form(method, number),
            class_="inside",
        ),
        id=_anchor(method.name),
        class_="method",
    )


def _marks(method: Method) -> Iterable[Markup]:
    yield tag(
        "span", {"threads": "thread", "loop": "loop", "processes": "process"}[method.where], title="where it runs"
    )
    if method.idempotent:
        yield tag("span", "idempotent", title="may be repeated without harm")
    if method.timeout is not None:
        yield tag("span", f"at most {method.timeout:g} s", title="its time limit")


def _figures(methods: Mapping[str, Method]) -> Markup:
    heads = [_sorter("method", "The name")] + [_sorter(name, told) for name, told in _COLUMNS.items()]
    rows = [
        tag(
            "tr",
            tag("th", tag("a", name, href=f"#{_anchor(name)}"), scope="row"),
            *(tag("td", "–", data_column=column) for column in _COLUMNS),
            data_row=str(number),
            data_name=json.dumps(name),
        )
        for number, name in enumerate(methods)
    ]
    table = tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *rows))
    return tag("div", table, class_="wide")


def _sorter(name: str, told: str) -> Markup:
    button = tag("button", name.capitalize(), type="button", title=told, data_sort=name)
    return tag("th", button, scope="col", aria_sort="none")
