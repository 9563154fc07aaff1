"""What a client is made of.

::

    link        one client: repeats what may be repeated, owns the futures
    opening     ... below it: connects, connects again
    line/       one connection
    http/       ... or the same over HTTP
    repeating   which failed calls are made again
    errands     a thread for callbacks and late work, which exists only while there is some
    terms       what a call is told apart from its arguments; what errors say
    batch       calls that are collected and sent at once
    names       client.a.b(1)
"""
