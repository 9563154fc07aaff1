"""A program that serves until a signal comes: ``python -m tests.rpc.served ADDRESS WORKERS DRAIN WHERE``."""

from __future__ import annotations

import sys

from tests.rpc.serving import service_of

if __name__ == "__main__":
    address, workers, drain, where = sys.argv[1:5]
    service = service_of(where)
    ended = service.serve(address, workers=int(workers), drain=float(drain))
    print("ended by", ended, flush=True)
