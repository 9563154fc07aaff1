"""Functions, arguments and results as bytes, and back: what `__main__` defines travels by value.

::

    caller                                        worker
    Packer().function(fn) ─┐                      Namespace().learn(*definition)
    Packer().item(args)    ├─ Packed(body, needs) Namespace().apply(needs)
    Packer().definitions  ─┘  Definition(...)     Namespace().loads(body)
    loads_result(body)    <── body ───────────────dumps_result(value)

A payload names what it needs of the caller's `__main__`; each of those names is a `Definition`, told apart by the
digest of its bytes, shipped once to each worker and bound in the `__main__` of that worker. Nothing here imports
cloudpickle before plain pickle has proved not to be enough: it would double the cost of ``import elsewhere``.
"""

from .namespace import Namespace
from .packer import Definition, LargeFunctionWarning, Packed, Packer, by_reference
from .results import dumps_result, loads_result

__all__ = ["Definition", "LargeFunctionWarning", "Namespace", "Packed", "Packer", "by_reference", "dumps_result"]
__all__ += ["loads_result"]
