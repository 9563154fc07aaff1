"""What the real peers' tests share."""

from __future__ import annotations

from tests.rpc.conftest import uvloop_has_its_pipe

__all__ = ["uvloop_has_its_pipe"]
