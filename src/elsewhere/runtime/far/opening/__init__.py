"""What comes back from a host, opened by a rule of its own: a hacked host must not own the caller.

::

    Opening(shipped, own, trust=False)        the door: value, error, plain
      gate: is it nothing but plain values?   ... then Python's own pickle reads it, ten times as fast
      machine, opcodes                        ... else ours, which does nothing by itself
        World.find, call, new, build          what it may name, and what may be done with that:
          known/                              ... of the standard library, of numpy, of the caller's own classes

A name is one thing, what may be called another: a class that is allowed as a value is called only in the ways in which
pickles of its objects do it, with arguments that are looked at first.
"""

from .door import Opening

__all__ = ["Opening"]
