"""Bytes between two ends: addresses and TLS. Rule: nothing in here has ever heard of calls."""
