"""What the page answers to an HTTP server that mounts it."""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

import pytest

from elsewhere import Service
from elsewhere.rpc.page import Page
from elsewhere.rpc.serving.methods.registry import MethodStatistics
from tests.rpc.page.served import double, shown


def headers(answer) -> dict[str, str]:
    assert len(answer.headers) == len({name for name, _ in answer.headers})
    return dict(answer.headers)


def test_each_path_has_an_answer_and_no_other_has_one():
    page = Page(shown())
    kinds = {path: headers(page.answer(path))["content-type"].split(";")[0] for path in page.paths}
    assert kinds["/"] == "text/html"
    assert kinds["/page/page.css"] == "text/css"
    assert kinds["/page/page.js"] == "text/javascript"
    assert kinds["/page/icon.svg"] == "image/svg+xml"
    assert kinds[Page.FIGURES] == "application/json"
    for path in ("", "/page", "/page/", "/page/../answers.py", "/page/answers.py", "//", "/RPC2"):
        assert page.answer(path) is None


@pytest.mark.parametrize("path", Page(Service()).paths)
def test_every_answer_is_guarded(path):
    told = headers(Page(shown()).answer(path))
    policy = dict(each.strip().split(" ", 1) for each in told["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["form-action"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in told["content-security-policy"]
    assert told["x-content-type-options"] == "nosniff"
    assert told["x-frame-options"] == "DENY"


def test_a_browser_that_has_it_is_told_so():
    page = Page(shown())
    first = page.answer("/")
    etag = headers(first)["etag"]
    for seen in (etag, f"W/{etag}", f'"other", {etag}'):
        again = page.answer("/", seen=seen)
        assert (again.status, again.body) == (304, b"")
        assert headers(again)["content-security-policy"]
    assert page.answer("/", seen='"other"').status == 200


def test_a_method_that_is_added_is_on_the_page():
    service = shown()
    page = Page(service)
    before = page.answer("/")
    service.register(double, "later")
    after = page.answer("/", seen=headers(before)["etag"])
    assert after.status == 200
    assert b"later" in after.body


def test_the_root_is_before_every_path():
    page = Page(shown())
    assert b'src="/below/page/page.js"' in page.answer("/", root="/below").body
    assert b'src="/below/page/page.js"' in page.answer("/", root="/below/").body
    assert b'src="/page/page.js"' in page.answer("/").body
    assert b'src="/a%20b/c/page/page.js"' in page.answer("/", root="/a b/c").body


@pytest.mark.parametrize("root", ["//elsewhere.invalid", "/\\elsewhere.invalid", "https://elsewhere.invalid", '"><b>'])
def test_no_root_leads_to_another_host_or_out_of_its_attribute(root):
    body = Page(shown()).answer("/", root=root).body.decode()
    for found in re.findall(r'(?:src|href|data-root)="([^"]*)"', body):
        assert found.startswith("#") or (re.match(r"/[^/\\]", found) and urlsplit(found).netloc == ""), found


def test_figures_are_those_that_it_is_given_in_the_order_of_the_page():
    told = {"two": MethodStatistics(3, 1, 1, 0.25, 0.5)}
    service = Service()
    service.register(double, "one")
    service.register(double, "two")
    found = Page(service, lambda: told).answer(Page.FIGURES)
    assert json.loads(found.body) == {"methods": [["one", 0, 0, 0, 0.0, 0.0], ["two", 3, 1, 1, 0.25, 0.5]]}
    assert headers(found)["cache-control"] == "no-store"
    assert "etag" not in headers(found)


def test_figures_are_the_services_own_by_default():
    service = shown()
    rows = json.loads(Page(service).answer(Page.FIGURES).body)["methods"]
    assert [row[0] for row in rows] == [method["name"] for method in service.methods()]
