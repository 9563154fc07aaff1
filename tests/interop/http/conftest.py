"""What the room shares."""

from __future__ import annotations

from tests.certificates import certificates
from tests.rpc.conftest import uvloop_has_its_pipe

__all__ = ["certificates", "uvloop_has_its_pipe"]
