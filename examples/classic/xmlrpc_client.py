"""Its client. See docs/classic.md."""

from xmlrpc.client import ServerProxy  # or: from elsewhere.xmlrpc.client import ServerProxy

if __name__ == "__main__":
    server = ServerProxy("http://127.0.0.1:8000")
    print(server.double(21))
    print(server.double("ab"))
