"""Servers that describe themselves: what their methods are, as a page of pydoc's."""

from __future__ import annotations

import html
import pydoc
import re
from collections.abc import Callable, Mapping
from importlib import resources
from inspect import signature
from typing import Any

from elsewhere.xmlrpc.server.cgi import CGIXMLRPCRequestHandler, _send
from elsewhere.xmlrpc.server.dispatching import resolve_dotted_attribute
from elsewhere.xmlrpc.server.guards import foreign_host
from elsewhere.xmlrpc.server.handler import SimpleXMLRPCRequestHandler
from elsewhere.xmlrpc.server.serving import Handler, SimpleXMLRPCServer

__all__ = [
    "DocCGIXMLRPCRequestHandler", "DocXMLRPCRequestHandler", "DocXMLRPCServer", "ServerHTMLDoc", "XMLRPCDocGenerator",
]  # fmt: skip

Links = Mapping[str, str]
NONE: Links = {}  # never changed
LINKS = re.compile(r"\b((https?|ftp)://\S+[\w/]|RFC[- ]?(\d+)|PEP[- ]?(\d+)|(self\.)?((?:\w|\.)+))\b")
# Nothing on the page is to be run, whatever a docstring or a default says.
POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class ServerHTMLDoc(pydoc.HTMLDoc):
    """Makes the page. Its methods are pydoc's, and whatever comes from elsewhere is escaped."""

    def markup(
        self,
        text: str,
        escape: Callable[[str], str] | None = None,
        funcs: Links = NONE,
        classes: Links = NONE,
        methods: Links = NONE,
    ) -> str:
        """Text as HTML, with links for URLs, RFCs, PEPs and the names of methods.

        Args:
            text: as it was written.
            escape: makes plain text HTML.
            funcs, classes, methods: where names lead.
        """
        escape = escape or self.escape
        pieces, here = [], 0
        for match in LINKS.finditer(text):
            start, end = match.span()
            pieces.append(escape(text[here:start]))
            pieces.append(self._linked(match, text[end : end + 1] == "(", funcs, classes, methods))
            here = end
        pieces.append(escape(text[here:]))
        return "".join(pieces)

    def _linked(
        self,
        match: re.Match[str],
        called: bool,
        funcs: Links,
        classes: Links,
        methods: Links,
    ) -> str:
        whole, scheme, rfc, pep, selfdot, name = match.groups()
        link: Any = self.namelink  # which the stubs take for one that changes its arguments
        if scheme:
            url = html.escape(whole)
            return f'<a href="{url}">{url}</a>'
        if rfc:
            return f'<a href="https://www.rfc-editor.org/rfc/rfc{int(rfc):d}.txt">{self.escape(whole)}</a>'
        if pep:
            return f'<a href="https://peps.python.org/pep-{int(pep):04d}/">{self.escape(whole)}</a>'
        if called:
            return str(link(name, methods, funcs, classes))
        if selfdot:
            return f"self.<strong>{name}</strong>"
        return str(link(name, classes))

    def docroutine(  # type: ignore[override]  # as xmlrpc.server: pydoc's takes other things
        self,
        object: Any,  # noqa: A002 - the name is xmlrpc.server's
        name: str,
        mod: str | None = None,
        funcs: Links = NONE,
        classes: Links = NONE,
        methods: Links = NONE,
        cl: type | None = None,
    ) -> str:
        """The description of a method: a function, or a tuple of its arguments and its help."""
        anchor = self.escape(f"{(cl and cl.__name__) or ''}-{name}")
        arguments = _arguments(object)
        if isinstance(object, tuple):
            arguments, text = object[0] or arguments, object[1] or ""
        else:
            text = pydoc.getdoc(object)
        doc = self.markup(text, self.preformat, funcs, classes, methods)
        doc = doc and f"<dd><tt>{doc}</tt></dd>"
        title = f'<a name="{anchor}"><strong>{self.escape(name)}</strong></a>'
        return f"<dl><dt>{title}{self.escape(arguments)}</dt>{doc}</dl>\n"

    def docserver(self, server_name: str, package_documentation: str, methods: Mapping[str, Any]) -> str:
        """The description of a server, with all its methods."""
        links = {name: f"#-{name}" for name in methods}
        head = f"<big><big><strong>{self.escape(server_name)}</strong></big></big>"
        doc = self.markup(package_documentation, self.preformat, links)
        doc = doc and f"<tt>{doc}</tt>"
        contents = "".join(self.docroutine(methods[name], name, funcs=links) for name in sorted(methods))
        return f"{self.heading(head)}<p>{doc}</p>\n{self.bigsection('Methods', 'functions', contents)}"

    def page(self, title: str, contents: str) -> str:
        """The whole page; both are HTML already."""
        return f"""\
<!DOCTYPE>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Python: {title}</title>
<link rel="stylesheet" type="text/css" href="/pydoc.css"></head><body>{contents}</body></html>"""


def _arguments(method: Any) -> str:
    if callable(method):
        try:
            return str(signature(method))
        except (ValueError, TypeError):  # of some that are written in C
            pass
    return "(...)"


class XMLRPCDocGenerator:
    """A part of servers that have the page.

    Attributes:
        server_name: its heading.
        server_documentation: what stands below.
        server_title: of the window.
    """

    funcs: dict[str, Callable[..., Any]]
    instance: Any
    system_listMethods: Callable[..., list[str]]  # noqa: N815 - the name is xmlrpc.server's

    def __init__(self) -> None:
        self.server_name = self.server_title = "XML-RPC Server Documentation"
        self.server_documentation = "This server exports the following methods through the XML-RPC protocol."

    def set_server_title(self, server_title: str) -> None:
        self.server_title = server_title

    def set_server_name(self, server_name: str) -> None:
        self.server_name = server_name

    def set_server_documentation(self, server_documentation: str) -> None:
        self.server_documentation = server_documentation

    def generate_html_documentation(self) -> str:
        """The page.

        An instance may say more of its methods: ``_get_method_argstring(name)`` gives their arguments and
        ``_methodHelp(name)`` their help.
        """
        methods = {
            name: self.funcs[name] if name in self.funcs else self._of_instance_shown(name)
            for name in self.system_listMethods()
        }
        documenter = ServerHTMLDoc()
        documentation = documenter.docserver(self.server_name, self.server_documentation, methods)
        return documenter.page(html.escape(self.server_title), documentation)

    def _of_instance_shown(self, name: str) -> Any:
        instance, shown = self.instance, (None, None)
        if hasattr(instance, "_get_method_argstring"):
            shown = (instance._get_method_argstring(name), None)
        if hasattr(instance, "_methodHelp"):
            shown = (shown[0], instance._methodHelp(name))
        if shown == (None, None) and not hasattr(instance, "_dispatch"):
            try:
                return resolve_dotted_attribute(instance, name)
            except AttributeError:
                pass
        return shown


class DocXMLRPCRequestHandler(SimpleXMLRPCRequestHandler):
    """Answers a GET with the page, too."""

    def _get_css(self, url: str) -> bytes:
        return resources.files("pydoc_data").joinpath("_pydoc.css").read_bytes()

    def do_GET(self) -> None:  # noqa: N802 - the name is http.server's
        """Answer with the page, or with its style."""
        if not self.is_rpc_path_valid():
            self.report_404()
            return
        if refusal := foreign_host(self.headers, self._bound(), self.allowed_hosts):
            self.send_error(*refusal)
            return
        if self.path.endswith(".css"):
            content_type, response = "text/css", self._get_css(self.path)
        else:
            server: Any = self.server
            content_type, response = "text/html", server.generate_html_documentation().encode("utf-8", "replace")
        self.send_response(200)
        self.send_header("Content-Type", f"{content_type}; charset=UTF-8")
        self.send_header("Content-length", str(len(response)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(response)


class DocXMLRPCServer(SimpleXMLRPCServer, XMLRPCDocGenerator):
    """Serves functions over XML-RPC, and a page that describes them, as `xmlrpc.server` has it."""

    def __init__(
        self,
        addr: Any,
        requestHandler: Handler = DocXMLRPCRequestHandler,  # noqa: N803 - the name is xmlrpc.server's
        logRequests: bool = True,  # noqa: N803 - the name is xmlrpc.server's
        allow_none: bool = False,
        encoding: str | None = None,
        bind_and_activate: bool = True,
        use_builtin_types: bool = False,
    ) -> None:
        XMLRPCDocGenerator.__init__(self)
        super().__init__(addr, requestHandler, logRequests, allow_none, encoding, bind_and_activate, use_builtin_types)


class DocCGIXMLRPCRequestHandler(CGIXMLRPCRequestHandler, XMLRPCDocGenerator):
    """Answers a call or a GET that a web server hands to a CGI program."""

    def __init__(self) -> None:
        CGIXMLRPCRequestHandler.__init__(self)
        XMLRPCDocGenerator.__init__(self)

    def handle_get(self) -> None:
        """Answer with the page."""
        _send("", "text/html", self.generate_html_documentation().encode("utf-8", "replace"))
