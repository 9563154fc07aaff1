"""Processes of one's own: multiprocessing's `Process`, by way of the fork server; and `call`, one call in a fresh one.

::

    Process.start          process.py, popen.py     pack the object, ask the hub for a process, send it there
       │ START, fds
       ▼
    Hub ─> Launcher        hub.py                   one for each start method: who has started, who has ended
       ▼
    enter ─> _bootstrap    child.py                 unpack it, and let the standard library's class run it
       │ value or error
       ▼
    Ear.outcome            answer.py                what `Process.result` gives

Nothing is imported before it is asked for: the public names are imported by `elsewhere` itself.
"""
