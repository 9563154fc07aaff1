"""The version of msgpack-rpc-python whose interface this is: programs compare it."""

__version__ = "0.4.1"
