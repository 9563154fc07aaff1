"""What runs inside a Dask worker's process for us, shipped as source: it keeps far workers as children.

The law of the folder: the standard library and distributed only, since nothing of ours is installed there; and nothing
of it runs user code, loads a pickle or waits in Dask's event loop. Its modules are shipped as one (see `shipping`), so
they import each other's names by lines that begin with ``from elsewhere.cluster.keeping``.
"""
