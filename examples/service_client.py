"""Calls both methods of service.py; the quick one does not wait for the long one. See docs/services.md."""

from elsewhere import connect

with connect("http://localhost:8000", timeout=60) as client:  # or tcp://localhost:6789
    counting = client.submit("primes", 300_000)
    print(client.addresses("localhost"))
    print(counting.result(), "primes")
