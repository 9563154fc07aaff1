"""Its client. See docs/classic.md."""

import socket

if __name__ == "__main__":
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(5)  # a datagram may be lost, and then nothing comes
    for name in (b"Ada", b"Grace", b"Edsger"):
        sock.sendto(b"hello, %s" % name, ("127.0.0.1", 9999))
        data, server = sock.recvfrom(65536)
        print(data.decode())
    sock.close()
