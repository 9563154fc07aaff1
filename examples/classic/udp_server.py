"""A UDP server with a thread for each datagram; or a process. See docs/classic.md."""

import socket
from threading import Thread as Worker  # or: from elsewhere import Process as Worker


def shout(sock, data, client):
    sock.sendto(data.upper(), client)


if __name__ == "__main__":
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 9999))
    print("the UDP server is ready")
    while True:  # until Ctrl-C
        data, client = sock.recvfrom(65536)
        Worker(target=shout, args=(sock, data, client)).start()
