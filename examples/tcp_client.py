"""A TCP client: each wait has a bound, 10 seconds if none is given. See docs/sockets.md."""

from elsewhere import net

with net.connect("tcp://localhost:7000") as connection:
    for line in (b"hello\n", b"hello again\n"):
        connection.sendall(line)
        print(connection.recv_until(b"\n"))
