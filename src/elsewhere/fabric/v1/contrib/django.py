"""Settings of Django for this process."""

from __future__ import annotations

import os

__all__ = ["project", "settings_module"]


def settings_module(module: str) -> None:
    """Django's settings are this module."""
    os.environ["DJANGO_SETTINGS_MODULE"] = module


def project(name: str) -> None:
    """Django's settings are those of this project."""
    settings_module(f"{name}.settings")
