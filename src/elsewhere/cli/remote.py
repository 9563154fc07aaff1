"""What ``serve`` and ``call`` need to be safe: secrets, which are never arguments, and certificates."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import click

from elsewhere.cli.ending import WrongUsage
from elsewhere.transport.tls import TLS

__all__ = ["VARIABLE", "remote", "tls", "token"]

VARIABLE = "ELSEWHERE_TOKEN"
LONGEST = 4096  # bytes of a token

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def remote(*, whom: str) -> Decorator:
    """The options; `token` and `tls` say what they mean.

    Args:
        whom: whose certificates ``--ca`` is to check.
    """
    options = (
        click.option(
            "--token-file",
            type=click.Path(),
            metavar="FILE",
            help=f"The secret is FILE's first line; else what {VARIABLE} is.",
        ),
        click.option(
            "--cert", type=click.Path(), metavar="FILE", help="For tls:// and https://: our certificate, as PEM."
        ),
        click.option(
            "--key", type=click.Path(), metavar="FILE", help="Its private key, if that is not in the same file."
        ),
        click.option(
            "--ca", type=click.Path(), metavar="FILE", help=f"Who must have signed {whom} certificates, as PEM."
        ),
    )

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def token(given: dict[str, Any]) -> str | None:
    """The secret; None if there is none.

    Raises:
        WrongUsage: the file cannot be read, or holds none.
    """
    path = given["token_file"]
    if path is None:
        return os.environ.get(VARIABLE) or None
    try:
        with open(path, "rb") as file:
            line = file.readline(LONGEST + 1).strip()
    except OSError as error:
        raise WrongUsage(f"--token-file {path} cannot be read: {error.strerror}.") from None
    if not line or len(line) > LONGEST:
        raise WrongUsage(f"--token-file {path} has no secret in its first line, of 1 to {LONGEST} bytes.")
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise WrongUsage(f"--token-file {path} has a first line that is no UTF-8.") from None


def tls(given: dict[str, Any]) -> TLS | None:
    """The certificates; None if there are none."""
    if given["cert"] is given["key"] is given["ca"] is None:
        return None
    if given["key"] is not None and given["cert"] is None:
        raise WrongUsage("--key is the key of a certificate: give that with --cert.")
    return TLS(cert=given["cert"], key=given["key"], ca=given["ca"])
