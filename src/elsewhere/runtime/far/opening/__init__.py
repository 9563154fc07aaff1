"""What comes back from a host, opened by a rule of its own: a hacked host must not own the caller.

::

    Opening(shipped, own, trust=False)        the door: value, error, plain
        Machine(data, world, ...).load()      the opcodes of a pickle, and nothing else
            World.find, call, new, build      what it may name, and what may be done with that
                standard.py  containers.py  errors.py    ... of the standard library
                arrays.py                                ... of numpy
                yours.py                                 ... of the caller's own classes

A name is one thing, what may be called another: a class that is allowed as a value is called only in the ways in which
pickles of its objects do it, with arguments that are looked at first.
"""

from .door import Opening

__all__ = ["Opening"]
