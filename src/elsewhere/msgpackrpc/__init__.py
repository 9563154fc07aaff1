"""A drop-in for `msgpackrpc`, the package of msgpack-rpc-python."""
