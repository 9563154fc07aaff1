"""Functions behind an address, by XML-RPC and JSON-RPC, and a page to try them. See docs/http.md."""

from elsewhere import Service

service = Service()


@service.method
def double(n: int) -> int:
    """Twice n."""
    return 2 * n


service.serve("http://localhost:8000")  # until Ctrl-C
