"""A UDP client: sends again while no answer comes. See docs/sockets.md."""

from elsewhere import net

with net.connect("udp://localhost:7001") as client:
    print(client.request(b"hello", timeout=1, attempts=3))
