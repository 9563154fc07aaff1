"""The version that this dialect is the language of."""

__all__ = ["VERSION"]

VERSION = "3.2.3"
