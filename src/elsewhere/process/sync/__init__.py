"""Queues, locks and pipes under multiprocessing's names, which may also be arguments of a Pool's calls.

::

    Queue JoinableQueue SimpleQueue    queues.py ─> log.py     items in shared memory (ring.py), mutexes of the kernel
    Lock RLock Semaphore Condition...  locks.py                POSIX semaphores in shared memory
    Lock(robust=True)                  robust.py               a lock that the kernel frees
                                           ├──────> kernel.py  how to sleep; mutexes are in runtime/locks
                                           └──────> block.py   memory without a name, and how it travels
    Pipe(duplex=False)                 pipes.py                a pipe of the kernel's
    Pipe                               duplex/                 a socket pair, and who hands the sockets out

Rule: nothing here has a name in a file system, and no process is needed to clean up: what these objects are made of is
gone with the last process that has them, however it ends.
"""

import sys

if sys.platform != "linux" or sys.maxsize < 2**32 or sys.byteorder != "little":
    raise ImportError("elsewhere's queues, locks and pipes need 64-bit Linux; use multiprocessing's here")
