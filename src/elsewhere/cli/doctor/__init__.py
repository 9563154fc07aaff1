"""The verb ``doctor``: what works here, what does not, and what to do.

::

    command    the verb: which parts, as words or JSON, and the exit code
    finding    one line of the answer
    asking     each question in a process of its own, with a bound: what crashes or hangs is an answer, too
    answers    the questions by name, and what runs in that process
    probes/    what is looked at
    page       findings as lines

Nothing is asked beyond this machine, and nothing is left behind.
"""
