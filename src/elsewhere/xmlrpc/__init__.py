"""A drop-in for `xmlrpc`, the standard library's package: the same names, and safe against what comes from outside.

::

    import elsewhere.xmlrpc as xmlrpc

    with xmlrpc.client.ServerProxy("http://localhost:8000") as proxy:
        proxy.pow(2, 5)

`client` and `server` have every public name of `xmlrpc.client` and of `xmlrpc.server`; this package has them all, too.
Programs that say ``import xmlrpc.client`` find it after `install`, or when they are started by
``python -m elsewhere.xmlrpc script.py``. What differs from the original, on purpose: docs/xmlrpc.md.
"""

from elsewhere.xmlrpc import client
from elsewhere.xmlrpc.client import *  # noqa: F403 - one place says which names there are

__all__ = ["client", "install"]
__all__ += client.__all__

NAME = "xmlrpc"


def install() -> None:
    """From now on ``import xmlrpc.client`` and ``import xmlrpc.server`` give these modules, in this process.

    What has imported the originals before keeps them; faults, dates and binary data are of the same classes in both.
    Doing it again changes nothing.
    """
    import sys
    from importlib import import_module

    package = import_module(NAME)
    for module in (client,):
        name = module.__name__.rpartition(".")[2]
        sys.modules[f"{NAME}.{name}"] = module
        setattr(package, name, module)
