"""`Pipe()` that sends and receives at either end: a socket pair, as multiprocessing's.

::

    pair, Duplex    connection.py    an end, and how it is pickled
                        │
                        ▼
    offer, fetch    exchange.py      a socket from the process that pickled it to the one that loads it
                        │
                        ▼
    Offer, ask      wire.py          what the two say to each other
"""

from elsewhere.process.sync.duplex.connection import Duplex, pair

__all__ = ["Duplex", "pair"]
