"""Calls on a Dask cluster: what `Pool(where="dask://host:8786")` is made of.

Rule: clusters are Dask's job, which starts, watches and secures them. What is ours is the way of a call there and back.

::

    Pool ─> DaskDriver ─> LaneLine ──(Dask tasks, messages)──> keeper, in a Dask worker ─> far worker, its child
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from elsewhere.cluster.places import DaskPlace

__all__ = ["place"]


def place(where: Any) -> DaskPlace:
    """What a user calls a cluster, as a place for `Pool`.

    Args:
        where: "dask", "dask://host:8786", "dask+tls://host:8786?ca=...&cert=...&key=...", a `distributed.Client` or a
            Cluster object.

    Raises:
        ImportError: distributed is not installed.
        ValueError: it is no address.
    """
    from elsewhere.cluster.places import DaskPlace

    return DaskPlace(where)
