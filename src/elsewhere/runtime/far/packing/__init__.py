"""Functions and arguments as bytes for interpreters on other machines.

::

    caller                                      far worker
    Packer.function(fn) ─┐                      pickle.loads(body), where the definitions that it
    Packer.item(args)    ├─ Body ─────────────> needs (its `constants`) are in force first
    Packer.share(obj)   ─┘
    Packer.module(name)  <─ the name ────────── import of something of the caller's own
                         ── its source ───────>

What an installed package or an own module defines goes by name; what `__main__`, a lambda or a closure is made
of goes by value, as the pool's own workers get it (`elsewhere.runtime.packing`): as byte code to the same minor version
of Python, as source to any other (`sources`).
"""

from .packer import Body, Constant, Packer, Shared

__all__ = ["Body", "Constant", "Packer", "Shared"]
