"""An XML-RPC server with one function. See docs/classic.md."""

from xmlrpc.server import SimpleXMLRPCServer  # or: from elsewhere.xmlrpc.server import SimpleXMLRPCServer


def double(n):
    return n * 2


if __name__ == "__main__":
    server = SimpleXMLRPCServer(("127.0.0.1", 8000))
    server.register_function(double)
    print("the XML-RPC server is ready")
    server.serve_forever()  # until Ctrl-C
