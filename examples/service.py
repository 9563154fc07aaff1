"""A method that computes, a method that waits, and a page to try them: http://localhost:8000. See docs/services.md."""

import math
import socket

from elsewhere import Service

service = Service()


@service.method(where="processes")  # on every core; others need not wait for it
def primes(below: int) -> int:
    """How many primes there are below a number."""
    return sum(all(n % divisor for divisor in range(2, math.isqrt(n) + 1)) for n in range(2, below))


@service.method  # in a thread, which may wait
def addresses(name: str) -> list[str]:
    """The addresses of a machine, as this one finds them."""
    return sorted({found[4][0] for found in socket.getaddrinfo(name, None)})


service.serve("tcp://localhost:6789", "http://localhost:8000")  # until Ctrl-C
