"""One connection.

::

    connection  calls whose outcome is a future, the greeting, what the far side says
    calls       ... below it: calls that are waited for
    channel     ... below that: who sends, who reads, who waits
    stream      ... below that: bytes
    secure      ... encrypted
    helper      the thread that reads and sends while nobody waits
"""
