"""A UDP server: what the handler returns is the reply. See docs/sockets.md."""

from elsewhere import net


def shout(data, sender):
    print(sender, "sent", data)
    return data.upper()


net.Server(shout, "udp://localhost:7001").serve_forever()  # until Ctrl-C
