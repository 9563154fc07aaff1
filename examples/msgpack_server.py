"""Functions behind an address, by MessagePack-RPC. See docs/services.md."""

from elsewhere import Service

service = Service()


@service.method
def double(n: int) -> int:
    return 2 * n


service.serve("tcp://localhost:6789")  # until Ctrl-C
