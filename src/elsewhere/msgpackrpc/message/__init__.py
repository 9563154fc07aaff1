"""The first element of a message. (A folder, because a room of this house holds ten files at most.)"""

from elsewhere.sansio.msgpackrpc import NOTIFY, REQUEST, RESPONSE

__all__ = ["NOTIFY", "REQUEST", "RESPONSE"]
