"""The TCP server of elsewhere.net. See docs/classic.md."""

from elsewhere import net


def shout(connection):
    while data := connection.recv():  # b"" is the end of the connection
        connection.sendall(data.upper())


with net.Server(shout, "tcp://127.0.0.1:9999") as server:
    print("the TCP server is ready")
    server.serve_forever()  # until Ctrl-C
