"""A message of 1,000 bytes that arrives in two parts, read in three ways. See docs/rules.md."""

import socket

from elsewhere import ConnectionLost, net


def send_in_two_parts(connection):
    connection.sendall(b"x" * 400)
    connection.recv_exactly(1)  # "I have seen something"
    connection.sendall(b"x" * 600)


with net.Server(send_in_two_parts, "tcp://localhost:0") as server:
    address = server.addresses[0]

    with socket.create_connection(("localhost", address.port)) as sock:
        part = sock.recv(1000)
        print("recv(1000):          ", len(part), "bytes")
        sock.sendall(b"!")
        while len(part) < 1000 and (more := sock.recv(1000 - len(part))):
            part += more
        print("recv in a loop:      ", len(part), "bytes")

    with net.connect(address) as connection:
        connection.sendall(b"!")
        print("recv_exactly(1000):  ", len(connection.recv_exactly(1000)), "bytes")

    with net.connect(address) as connection:
        connection.sendall(b"!")
        try:
            connection.recv_exactly(1001)
        except ConnectionLost as error:
            print("one more than came:  ", str(error).partition(": ")[2])
