"""The TCP server over TLS. See docs/sockets.md. A certificate to try it with:

openssl req -x509 -newkey rsa:2048 -nodes -keyout server.key -out server.pem -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost
"""

from elsewhere import net


def shout(connection):
    while line := connection.recv_until(b"\n"):
        connection.sendall(line.upper())


tls = net.TLS(cert="server.pem", key="server.key")
net.Server(shout, "tls://localhost:7002", tls=tls).serve_forever()  # until Ctrl-C
