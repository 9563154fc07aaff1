"""Calls http_server.py, or any other JSON-RPC server. See docs/http.md."""

from elsewhere import connect

with connect("jsonrpc+http://localhost:8000/jsonrpc") as client:
    print(client.double(21))
