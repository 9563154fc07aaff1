"""Its client. See docs/classic.md."""

from elsewhere import net

with net.connect("tcp://127.0.0.1:9999", timeout=5) as server:
    for name in (b"Ada", b"Grace", b"Edsger"):
        server.sendall(b"hello, %s\n" % name)
        print(server.recv_until(b"\n").decode().strip())
