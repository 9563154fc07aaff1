"""The page of servers that describe themselves; and CGI, as a web server runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from elsewhere.xmlrpc.client import loads
from elsewhere.xmlrpc.server import DocXMLRPCRequestHandler, DocXMLRPCServer
from tests.xmlrpc.serving import BOUND, body, called, posted, simple

ATTACK = "<script>alert(1)</script>\"'"


class Default:
    def __repr__(self):
        return ATTACK


ODD = Default()


def documented(text=ODD):
    """Does <script>alert(1)</script> see http://example.org/"onmouseover="x and documented(1), self.documented."""
    return str(text)


class Tags(HTMLParser):
    """Every tag and attribute of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.add(tag)
        self.found |= {f"@{name}" for name, _ in attrs}


class Shown:
    def _listMethods(self):
        return [ATTACK, "documented"]

    def _get_method_argstring(self, name):
        return f"({ATTACK})"

    def _methodHelp(self, name):
        return f"helps {ATTACK}"

    def _dispatch(self, method, params):
        return method


@pytest.fixture
def server():
    with simple(documented, kind=DocXMLRPCServer) as server:
        server.register_introspection_functions()
        server.register_instance(Shown())
        server.set_server_title(ATTACK)
        server.set_server_name(ATTACK)
        server.set_server_documentation(f"All of it {ATTACK}")
        yield server


def test_whatever_it_shows_is_text(server):
    with posted(server, b"", "/", "GET") as answer:
        page = answer.read().decode()
        assert answer.getheader("Content-Security-Policy", "").startswith("default-src 'none'")
        assert answer.getheader("X-Content-Type-Options") == "nosniff"
        assert answer.getheader("Content-Type") == "text/html; charset=UTF-8"
    tags = Tags(page)
    assert "script" not in tags.found
    assert {one for one in tags.found if one.startswith("@on")} == set()
    assert page.count("&lt;script&gt;") >= 6
    assert 'href="#-documented"' in page


def test_its_style_is_there(server):
    with posted(server, b"", "/pydoc.css", "GET") as answer:
        assert answer.getheader("Content-Type") == "text/css; charset=UTF-8"
        assert b"{" in answer.read()


def test_calls_are_served_beside_it(server):
    assert called(server, "documented", "x") == "x"


def test_other_paths_and_names_have_none(server):
    with posted(server, b"", "/other", "GET") as answer:
        assert answer.status == 404
    port = server.server_address[1]
    with posted(server, b"", "/", "GET", Host=f"evil.example:{port}") as answer:
        assert answer.status == 403

    class Named(DocXMLRPCRequestHandler):
        allowed_hosts = ("evil.example",)

    server.RequestHandlerClass = Named
    with posted(server, b"", "/", "GET", Host=f"evil.example:{port}") as answer:
        assert answer.status == 200


PROGRAM = """
from elsewhere.xmlrpc.server import {kind} as Handler
handler = Handler()
handler.max_body = 4000
handler.register_function(lambda text: text[::-1], "turned")
handler.handle_request()
"""


def cgi(data: bytes, kind: str = "CGIXMLRPCRequestHandler", **environment: str) -> tuple[dict[str, str], bytes]:
    """The headers and the body that a CGI program answers."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM.format(kind=kind)],
        input=data,
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
        timeout=BOUND,
    )
    assert not done.stderr, done.stderr
    head, _, content = done.stdout.partition(b"\n\n")
    headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
    assert int(headers["Content-Length"]) == len(content)
    return headers, content


def test_cgi_reads_bytes_and_not_characters():
    request = body("turned", "é€x")
    headers, content = cgi(request + b"what follows", CONTENT_LENGTH=str(len(request)), REQUEST_METHOD="POST")
    assert headers["Content-Type"] == "text/xml"
    assert loads(content) == (("x€é",), None)


def test_cgi_without_a_length():
    _, content = cgi(body("turned", "abc"), CONTENT_LENGTH="")
    assert loads(content) == (("cba",), None)


@pytest.mark.parametrize("length", ["5000", "1" * 30, ""])
def test_cgi_that_is_too_large(length):
    headers, _ = cgi(body("turned", "x" * 5000), CONTENT_LENGTH=length)
    assert headers["Status"].startswith("413 ")


def test_cgi_asked_for_a_page():
    headers, _ = cgi(b"", REQUEST_METHOD="GET")
    assert headers["Status"] == "400 Bad Request"
    headers, content = cgi(b"", "DocCGIXMLRPCRequestHandler", REQUEST_METHOD="GET")
    assert headers["Content-Type"] == "text/html"
    assert re.search(rb"<strong>turned</strong></a>\(text\)", content)
