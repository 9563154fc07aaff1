"""What is looked at: each function gives a list of `Finding`, and runs in a process of its own.

::

    core       what everything needs: Python, workers, memory, locks, services
    machine    how much there is of what a machine has: cores, memory, descriptors, /dev/shm
    extras     what is installed by ``elsewhere[...]``
    ssh        keys, agent and files of the user's
    ports      the addresses that the documentation uses
"""
