"""A client over HTTP: the same `Client`, whose calls are posted as JSON-RPC or XML-RPC.

::

    link        one client: repeats what may be repeated, owns the futures
    posting     ... below it: one post, over whichever connection is free
    lines       the connections that are kept alive: a request out, a reply in
    reply       ... which is read there
    senders     threads for futures, which exist only while there are some
    bodies      what is posted, and what the replies mean: JSON-RPC, XML-RPC
    refusals    replies that are no answers, in words: what the far side is, and which address to try

Rule: a call is never sent twice, unless it certainly never started or is idempotent. A connection that was idle is
looked at before it is used, and one that was for long is not: servers close those, and nobody could tell whether they
have seen what was sent in that moment.
"""
