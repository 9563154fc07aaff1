"""The pool door: `Pool`, `get_context`, `elsewhere.map`."""

from elsewhere.pool.contexts import get_context
from elsewhere.pool.pool import Pool

__all__ = ["Pool", "get_context"]
