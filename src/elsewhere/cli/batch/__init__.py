"""A batch: many inputs, one function, a row for each. Rule: this room has never heard of click.

::

    inputs ──one by one──▶ job ──finished text──▶ rows ──whole lines──▶ output
                           in a worker             │                     │
    engine   the only file that uses the Pool      summary: what failed  destination: which file, what it holds
    run      puts them together                                          resume: what an earlier run left in it
"""
