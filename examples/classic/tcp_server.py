"""A TCP server with a thread for each connection; or a process. See docs/classic.md."""

import socket
from threading import Thread as Worker  # or: from elsewhere import Process as Worker


def shout(sock):
    while data := sock.recv(65536):  # b"" is the end of the connection
        sock.sendall(data.upper())
    sock.close()


if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", 9999))
    print("the TCP server is ready")
    while True:  # until Ctrl-C
        sock, client = listener.accept()
        Worker(target=shout, args=(sock,)).start()
