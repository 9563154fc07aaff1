"""The page in the browser: what a service has, what it does, and a form to call each method.

::

    answers     Page: paths in, statuses, headers and bytes out; what an HTTP server mounts
    document    the HTML
    forms       a method's parameters as a form
    fields      annotations as what a browser has to ask for
    examples    annotations as examples in JSON
    markup      HTML that cannot be broken
    assets/     style and scripts: they call methods by JSON-RPC, and ask for the figures each second

Whoever mounts it decides who may see it: it has no guard of its own.
"""

from __future__ import annotations

from elsewhere.rpc.page.answers import Answer, Page

__all__ = ["Answer", "Page"]
