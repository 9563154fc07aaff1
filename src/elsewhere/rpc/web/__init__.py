"""A `Service` over HTTP: the ASGI application that `Service.asgi` gives, and what serves it at ``http://`` addresses.

::

    app         the application: paths, guards, and who answers
    guard       who may come in: the name it is called by, the page that asks, the token
    body        bodies in, within limits; answers out
    exchange    one request, and the calls that it asks for: what a session is to a connection
    jsonrpc     POST /jsonrpc
    xmlrpc      POST /RPC2 and /
    listening/  connections and uvicorn

Rule: Starlette and uvicorn do HTTP; nothing here reads or writes a line of it.
"""

__all__ = ["require_http"]


def require_http() -> None:
    """Raise unless what HTTP needs is installed.

    Raises:
        ModuleNotFoundError: it is not; has the command that installs it.
    """
    try:
        import starlette.routing  # noqa: F401 - that it is there
        import uvicorn  # noqa: F401 - that it is there
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"a service over HTTP needs Starlette and uvicorn ({error}): python -m pip install 'elsewhere[http]'",
            name=error.name,
        ) from None
