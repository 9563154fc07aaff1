"""What Tab completes: verbs, options, choices, files, hosts of ~/.ssh/config, and functions of a Python file.

::

    command      the verb ``completion``, which prints a script for a shell
    shells       those scripts, and how each shell asks and is answered
    candidates   what could stand where something is typed half

Rule: nobody is connected, nothing of the user's is imported or run, and what cannot be told at once is not offered.
"""
