"""What is sent to a plain Python interpreter, so that it becomes a far worker.

Two parts: `first_words` are the program on its command line, short and for any Python, which reads the second part,
`payload`, from its standard input. Nothing is written on that machine.

cloudpickle's source is part of it, whole and with its licence (BSD, 3 clauses, which allows that), as it is installed
here: what was pickled by it is loaded by the same version.
"""

from __future__ import annotations

import functools
import importlib.util
import zlib
from pathlib import Path

from elsewhere.runtime.far import worker

__all__ = ["first_words", "payload"]

# Under which name there, which module's source here.
SHIPPED = {
    "cloudpickle": "cloudpickle",
    "cloudpickle.cloudpickle": "cloudpickle.cloudpickle",
    "elsewhere_packing": "elsewhere.runtime.far.packing.loading",
}

# No single quotes, so that a shell's quoting leaves it readable; Python 2 understands it up to the version check.
# `read` takes no more than what is ours: what follows are frames. The current folder must not give modules.
FIRST_WORDS = """\
import sys
sys.path=[p for p in sys.path if p]
if sys.version_info<(3,8):sys.exit("elsewhere: Python 3.8 or newer is needed, this is "+sys.version.split()[0])
import os,zlib
d=b""
while len(d)<{size}:
  c=os.read(0,{size}-len(d))
  if not c:sys.exit("elsewhere: the caller has gone before the worker was sent")
  d+=c
try:d=zlib.decompress(d).split(bytes(1))
except zlib.error:sys.exit("elsewhere: what came first on the standard input is not the worker")
m=type(sys)("elsewhere_far")
sys.modules[m.__name__]=m
exec(compile(d[0],"<elsewhere_far>","exec"),m.__dict__)
m.main(d[1:])
"""


def first_words(size: int) -> str:
    """The program for ``python3 -c``, given the size of `payload` in bytes."""
    return FIRST_WORDS.format(size=size)


@functools.cache
def payload() -> bytes:
    """What the interpreter reads first from its standard input: the same bytes each time.

    Raises:
        ImportError: cloudpickle's source is not there.
    """
    sources = [Path(worker.__file__).read_bytes()]
    for name, module in SHIPPED.items():
        spec = importlib.util.find_spec(module)
        if spec is None or spec.origin is None:
            raise ImportError(f"the source of {module} is needed here: pip install cloudpickle")
        sources += [name.encode(), Path(spec.origin).read_bytes()]
    return zlib.compress(b"\0".join(sources), 9)
