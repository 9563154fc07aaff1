"""A MessagePack-RPC server with one method. See docs/classic.md."""

import msgpackrpc  # or: import elsewhere.msgpackrpc as msgpackrpc


class Methods:
    def double(self, n):
        return n * 2


if __name__ == "__main__":
    server = msgpackrpc.Server(Methods())
    server.listen(msgpackrpc.Address("127.0.0.1", 6789))
    print("the MessagePack-RPC server is ready")
    server.start()  # until Ctrl-C
