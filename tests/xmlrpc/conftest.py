"""Certificates, for the servers and clients that speak TLS."""

from tests.certificates import certificates

__all__ = ["certificates"]
