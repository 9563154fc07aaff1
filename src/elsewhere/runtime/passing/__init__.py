"""Handles: how memory and ends of pipes of this process get into others, at any time and without a name.

::

    descriptors.py    an open file of this process, closed with its last reference
    receipts.py       keeps what was pickled until the other side has opened it
    mailbox.py        where the receipts arrive
    opening.py        opens what a handle means, once it is certain that it is just that
    leaving.py        a worker that ends waits until its last results were opened
    looking.py        a look at what is kept, which never waits for who is looking

The law of the room: whoever opens what another process has verifies it before it is opened, and again afterwards; and
whoever sends something may forget it at once.
"""
