"""The verbs of hosts: ``run``, ``put``, ``get``. One file a verb.

::

    options    how hosts are chosen and reached, spelled once for all three
    chosen     from those options to hosts; which of them, and how they are reached
    again      the command that would go on with a run that has ended early
    common     what all three do with their options
    run        a command on each
    interactive  a command or a shell for who sits at a terminal
    put, get   files to each, and from each
    doing/     what they have in common: work on hosts, rows and output, what is said at the end
"""
