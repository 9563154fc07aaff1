"""Certificates for HTTPS."""

from tests.certificates import certificates

__all__ = ["certificates"]
