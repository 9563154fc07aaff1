"""The page's HTML: whatever a service's names and texts are, it shows them as text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsewhere import Service
from elsewhere.rpc.page.document import document
from elsewhere.rpc.page.markup import Markup, tag, text
from tests.rpc.page.served import IMAGE, SCRIPT, shown


class Parsed(HTMLParser):
    """Tags, attributes and texts, and that every tag is closed."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in {"input", "link", "meta"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def parsed(service: Service, root: str = "") -> Parsed:
    return Parsed(document(service, root).decode())


def named(fn: Any = None, doc: str | None = None, name: str = "method") -> Any:
    def method(n: int = 1) -> int:
        return n

    method.__doc__ = doc
    method.__name__ = method.__qualname__ = name
    return method


def test_each_method_has_its_signature_documentation_row_and_form():
    service = shown()
    page = parsed(service)
    assert page.tags.count("details") == page.tags.count("form") == len(service.methods())
    rows = [value for tag, name, value in page.attributes if (tag, name) == ("tr", "data-row")]
    assert rows == [str(number) for number in range(len(service.methods()))]
    for method in service.methods():
        assert method["name"] in page.texts
        assert method["signature"] in page.texts
    assert "Twice the number." in page.texts


def test_texts_that_are_markup_show_as_text():
    page = parsed(shown())
    assert page.tags.count("script") == 1
    assert "img" not in page.tags
    assert any(SCRIPT in found for found in page.texts)
    assert f"bad.{IMAGE}" in page.texts


def test_nothing_is_inline_and_nothing_comes_from_elsewhere():
    page = parsed(shown(), root="/below")
    assert "style" not in page.tags
    for tag_, name, value in page.attributes:
        assert not name.startswith("on"), (tag_, name)
        assert name != "style", tag_
        if name in {"src", "href"}:
            assert value is not None
            assert value.startswith(("/below/page/", "#")), value


def test_ids_are_given_once_and_labels_name_them():
    page = parsed(shown())
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {value for tag_, name, value in page.attributes if (tag_, name) == ("label", "for")} <= set(ids)
    assert {value for _, name, value in page.attributes if name == "aria-describedby"} <= set(ids)


def test_whatever_can_be_entered_or_pressed_has_a_name():
    page = document(shown(), "").decode()
    labelled = set(re.findall(r'<label for="([^"]*)"', page))
    for found in re.finditer(r"<(input|select|textarea)\b([^>]*)>", page):
        named = re.search(r'id="([^"]*)"', found[2])
        assert 'aria-label="' in found[2] or (named is not None and named[1] in labelled), found[0]
    assert all(re.sub(r"<[^>]*>", "", found).strip() for found in re.findall(r"<button.*?</button>", page))


def test_a_service_without_methods_says_so():
    assert "This service has no methods." in parsed(Service(name="empty")).texts
    assert "Service" in parsed(Service()).texts


def test_none_is_offered_where_leaving_out_is_not_the_same():
    def method(a: int | None, b: int | None = 1, c: int | None = None) -> None:
        pass

    service = Service()
    service.register(method)
    labels = {value for _, name, value in parsed(service).attributes if name == "aria-label"}
    assert {"a is None", "b is None"} <= labels
    assert "c is None" not in labels


def test_what_has_no_annotation_or_one_that_nobody_knows_takes_anything():
    def bare(value):
        pass

    def strange(value):
        pass

    strange.__annotations__["value"] = "Nowhere"
    service = Service()
    service.register(bare)
    service.register(strange)
    kinds = [value for _, name, value in parsed(service).attributes if name == "data-kind"]
    assert kinds == ["any", "any"]


def test_a_link_leads_to_its_method_whatever_that_is_called():
    service = Service()
    names = ["a b", "a%20b", "<", '"', "ü", "a\tb", "#"]
    for name in names:
        service.register(named(), name)
    page = parsed(service)
    ids = [value or "" for tag_, name, value in page.attributes if (tag_, name) == ("details", "id")]
    assert len(set(ids)) == len(names)
    assert not [each for each in ids if re.search(r"\s", each)]  # which no id may have
    links = [value for tag_, name, value in page.attributes if (tag_, name) == ("a", "href")]
    assert [f"#{each}" for each in ids] == links[-len(ids) :]


def test_a_default_that_is_long_is_cut():
    def method(n: int = 0, more: Any = "x" * 1000) -> None:
        pass

    service = Service()
    service.register(method)
    found = [value for _, name, value in parsed(service).attributes if name == "placeholder"]
    assert "default 0" in found
    assert any(value is not None and value.endswith("…") and len(value) < 80 for value in found)


@given(
    st.text(alphabet=st.characters(), min_size=1).filter(lambda name: not name.startswith("rpc.")),
    st.text(alphabet=st.characters()),
)
def test_any_name_and_any_documentation_makes_a_page_that_is_whole(name, doc):
    service = Service(name=doc)
    service.register(named(doc=doc), name)
    page = parsed(service)
    assert page.tags.count("script") == 1
    assert page.tags.count("details") == 1


@pytest.mark.parametrize("odd", ["\x00", "\x1b[31m", "\ud800", "\x7f"])
def test_what_no_page_can_hold_is_replaced(odd):
    assert text(f"a{odd}b").encode().count("\ufffd".encode()) == 1


def test_an_element_escapes_what_is_no_markup():
    assert tag("p", "<&>\"'", class_='"><b>') == '<p class="&quot;&gt;&lt;b&gt;">&lt;&amp;&gt;&quot;&#x27;</p>'
    assert tag("p", tag("b", "x")) == "<p><b>x</b></p>"
    assert tag("input", disabled=True, hidden=False, value=None) == "<input disabled>"
    assert isinstance(tag("p"), Markup)


def test_scripts_never_make_markup_of_text():
    from importlib.resources import files

    scripts = [each for each in files("elsewhere.rpc.page").joinpath("assets").iterdir() if each.name.endswith(".js")]
    assert scripts
    for script in scripts:
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script.read_text())
