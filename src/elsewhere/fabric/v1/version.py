"""The version that this dialect is the language of."""

__all__ = ["VERSION", "get_version"]

VERSION = "1.15.0"


def get_version(form: str = "short") -> str:
    """The text, whatever form is asked for."""
    return VERSION
