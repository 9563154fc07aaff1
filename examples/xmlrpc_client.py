"""Calls http_server.py, or any other XML-RPC server. See docs/http.md."""

from elsewhere import connect

with connect("xmlrpc+http://localhost:8000/RPC2") as client:
    print(client.double(21))
