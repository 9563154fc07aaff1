"""The UDP server of elsewhere.net. See docs/classic.md."""

from elsewhere import net


def shout(data):
    return data.upper()


with net.Server(shout, "udp://127.0.0.1:9999") as server:
    print("the UDP server is ready")
    server.serve_forever()  # until Ctrl-C
