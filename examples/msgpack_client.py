"""Calls functions behind an address; any MessagePack-RPC server will do. See docs/services.md."""

from elsewhere import connect

with connect("tcp://localhost:6789") as client:
    print(client.double(21))  # waits for the result
    future = client.submit("double", 4)  # does not: result(), or await
    print(future.result())
