"""Has a client that offers a service connect again by itself: else nobody could call it until it calls.

Rule: this runs on the thread of errands, and keeps nothing: it ends with the client, also with one that is forgotten.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from weakref import ReferenceType, ref

from elsewhere.errors import ElsewhereError

if TYPE_CHECKING:
    from elsewhere.rpc.calling.errands import Errands
    from elsewhere.rpc.calling.opening import Opening

__all__ = ["Restoring"]

ATTEMPT = 4.0  # seconds for one attempt, after which others have their turn on that thread


class Restoring:
    """Where a connection that has ended is told.

    Args:
        link: whose it was.
        errands: where another one is made.
    """

    def __init__(self, link: Opening, errands: Errands) -> None:
        self._link = ref(link)
        self._errands = errands
        self._since = time.monotonic()

    def ended(self) -> None:
        """Make another one, soon; later, if this one has lived for a moment only, or none can be made."""
        link = self._link()
        if link is not None and not link.closed:
            now = time.monotonic()
            self._errands.at(now + link.rest(now - self._since), lambda: _connect(self._link, self._errands))


def _connect(link: ReferenceType[Opening], errands: Errands) -> None:
    found = link()
    if found is None or found.closed:
        return
    now = time.monotonic()
    try:
        found.open(now + min(ATTEMPT, found.limit))  # does nothing if a call was quicker
    except (ElsewhereError, OSError):  # nobody listens there, or a file of TLS cannot be read just now
        errands.at(time.monotonic() + found.rest(0.0), lambda: _connect(link, errands))
