"""The TCP client over TLS: it believes the one certificate that it is given. See docs/sockets.md."""

from elsewhere import net

with net.connect("tls://localhost:7002", tls=net.TLS(ca="server.pem")) as connection:
    connection.sendall(b"hello\n")
    print(connection.recv_until(b"\n"))
