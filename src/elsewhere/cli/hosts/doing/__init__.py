"""Work on hosts. Rule: this room has never heard of click.

::

    hosts ──▶ crew ──what they write, how they end──▶ work ──▶ show     what is printed
              on the fleet's loop       the main thread  │──▶ file     rows that another run goes on with
                                                          └──▶ endings  words and exit codes
"""
