"""A TCP server: the handler runs in a thread for each connection. See docs/sockets.md."""

from elsewhere import net


def shout(connection):
    while line := connection.recv_until(b"\n"):  # b"" is the end
        connection.sendall(line.upper())


net.Server(shout, "tcp://localhost:7000").serve_forever()  # until Ctrl-C
