"""Its client. See docs/classic.md."""

import msgpackrpc  # or: import elsewhere.msgpackrpc as msgpackrpc

if __name__ == "__main__":
    client = msgpackrpc.Client(msgpackrpc.Address("127.0.0.1", 6789), unpack_encoding="utf-8")
    print(client.call("double", 21))
    future = client.call_async("double", 4)
    print(future.get())
    client.close()
