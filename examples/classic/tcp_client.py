"""Its client. See docs/classic.md."""

import socket

if __name__ == "__main__":
    sock = socket.create_connection(("127.0.0.1", 9999), timeout=5)
    lines = sock.makefile("rb")  # recv may give a piece of a line, or two lines
    for name in (b"Ada", b"Grace", b"Edsger"):
        sock.sendall(b"hello, %s\n" % name)
        print(lines.readline().decode().strip())
    lines.close()
    sock.close()
