"""A module with a warning of its own, which workers load late."""

import warnings


class Rare:
    class RareWarning(UserWarning):
        pass


def warn() -> str:
    try:
        warnings.warn("rare", Rare.RareWarning)
    except Rare.RareWarning:
        return "raised"
    return "not raised"
