"""A drop-in for `xmlrpc`, the standard library's package."""
