"""What the page answers: paths in; statuses, headers and bytes out.

Rule: no HTTP here. Whoever serves it has let the request through already: the host, the origin and the token are right.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from elsewhere.rpc.page.document import document
from elsewhere.rpc.serving.methods.registry import MethodStatistics

if TYPE_CHECKING:
    from elsewhere.rpc.service import Service

__all__ = ["Answer", "Page"]

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# Everything is the page's own; nothing is inline; text never becomes markup by a script.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_GUARDS = (
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
)


class Answer(NamedTuple):
    """What is to be answered.

    Attributes:
        status: 200, or 304 if the browser has it already.
        headers: names, in lower case, and values; content-length is left to who sends it.
        body: to be sent, but not to a HEAD.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def _prefix(root: str) -> str:
    """A path as the beginning of URLs: of one slash, since two would make a host of what follows."""
    plain = root.strip("/")
    return "/" + quote(plain, errors="replace") if plain else ""


class Page:
    """The page of a service.

    Args:
        service: whose.
        statistics: what `Service.statistics` would say of all that serve; the service's own by default. Where several
            processes serve, it may have to ask them, so do not call `answer` of `FIGURES` on an event loop.

    Attributes:
        FIGURES: the path that the page asks for each second.

    Example::

        page = Page(service)
        found = page.answer("/page/page.js")
    """

    FIGURES = "/page/figures.json"

    def __init__(self, service: Service, statistics: Callable[[], dict[str, MethodStatistics]] | None = None) -> None:
        self._service = service
        self._statistics = statistics or service.statistics
        self._made: tuple[tuple[object, ...], bytes] | None = None
        self._assets: dict[str, tuple[str, bytes]] = {}
        for entry in files(__package__).joinpath("assets").iterdir():
            kind = _TYPES.get(entry.name[entry.name.rfind(".") :])
            if kind is not None:
                self._assets[f"/page/{entry.name}"] = (kind, entry.read_bytes())

    @property
    def paths(self) -> list[str]:
        """All that it answers to a GET or a HEAD, below the root."""
        return ["/", self.FIGURES, *self._assets]

    def answer(self, path: str, *, root: str = "", seen: str | None = None) -> Answer | None:
        """The answer to a GET.

        Args:
            path: what is asked for, below the root: one of `paths`, and None is answered for any other.
            root: the path that the service is mounted at, as ASGI's ``root_path``; "" if it has the whole host.
            seen: the request's ``If-None-Match``.
        """
        if path == self.FIGURES:
            headers = [("content-type", "application/json"), ("cache-control", "no-store"), *_GUARDS]
            return Answer(200, headers, self._figures())
        if path == "/":
            kind, body = "text/html; charset=utf-8", self._document(_prefix(root))
        elif path in self._assets:
            kind, body = self._assets[path]
        else:
            return None
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = [("content-type", kind), ("cache-control", "no-cache"), ("etag", etag), *_GUARDS]
        known = seen is not None and etag in {each.strip().removeprefix("W/") for each in seen.split(",")}
        return Answer(304, headers, b"") if known else Answer(200, headers, body)

    def _document(self, root: str) -> bytes:
        methods = self._service._registry.methods
        key = (root, self._service.name, *methods.values())  # methods are added, and never change
        made = self._made
        if made is None or made[0] != key:
            made = self._made = (key, document(self._service, root))
        return made[1]

    def _figures(self) -> bytes:
        """Calls, errors, running, and the mean and longest time in seconds, of each method by its place in the page."""
        told = self._statistics()
        rows = [
            [name, *(round(value, 7) if math.isfinite(value) else 0 for value in told.get(name, (0, 0, 0, 0.0, 0.0)))]
            for name in list(self._service._registry.methods)
        ]
        return json.dumps({"methods": rows}, separators=(",", ":")).encode()
