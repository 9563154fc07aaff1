"""Its client. See docs/classic.md."""

from elsewhere import net

with net.connect("udp://127.0.0.1:9999") as server:
    for name in (b"Ada", b"Grace", b"Edsger"):
        print(server.request(b"hello, %s" % name, timeout=5).decode())
