"""The verb ``serve``: an object's methods, or a `Service`, behind addresses."""

from __future__ import annotations

import logging
import sys
from typing import Any

import click

from elsewhere.cli.completion.candidates import addresses, objects
from elsewhere.cli.ending import Problem, WrongUsage, sentence
from elsewhere.cli.function.loading import loading
from elsewhere.cli.function.target import Target
from elsewhere.cli.help import Verb
from elsewhere.cli.options import seconds, shared
from elsewhere.cli.remote import VARIABLE, remote, tls, token
from elsewhere.errors import ElsewhereError
from elsewhere.rpc import Service
from elsewhere.transport.address import HTTP, STREAMS, Address

__all__ = ["serve_command"]

HELP = """Serve the methods of OBJECT until Ctrl-C or SIGTERM, over MessagePack-RPC or HTTP.

OBJECT is package.module:name or path/to/file.py:name: a Service, a function, or an object or class whose public methods
are served. ADDRESS is tcp://host:port (port 0 picks a free one), tls://host:port, unix:///path, http://host:port or
https://host:port.
"""
MORE = """Over HTTP, JSON-RPC is answered at /jsonrpc and XML-RPC at /RPC2, and browsers are shown a page. What other
machines can reach needs TLS and a token or client certificates, or --insecure. "elsewhere call ADDRESS --list" shows
what there is.

Exit code: 130, 143 or 129 after Ctrl-C, SIGTERM or SIGHUP, once the calls that ran have ended; 1 if it cannot be
served, 2 wrong usage.
"""
EXAMPLES = (
    "elsewhere serve work.py:service --bind tcp://localhost:6789",
    "elsewhere serve work.py:Scores -b http://localhost:8000 --where processes",
)
FIRST = ("addresses", "where", "workers", "token_file", "cert", "insecure", "page", "drain", "dry_run", "verbose")


# What a Service says itself, by the names of our options.
OWN = {
    "where": "--where",
    "token_file": "--token-file",
    "traceback": "--traceback",
    "page": "--page",
    "allowed_hosts": "--allow-host",
}


@click.command("serve", cls=Verb, help=HELP, more=MORE, examples=EXAMPLES, first=FIRST)
@click.argument("target", metavar="OBJECT", shell_complete=objects)
@click.option(
    "-b", "--bind", "addresses", multiple=True, required=True, metavar="ADDRESS", help="Listen there.",
    shell_complete=addresses,
)  # fmt: skip
@click.option("-w", "--workers", type=click.IntRange(min=1), default=1, metavar="N", help="Serve from N processes.")
@click.option(
    "--where",
    type=click.Choice(["threads", "loop", "processes"]),
    metavar="PLACE",
    help="threads (the default) for methods that wait, processes for those that compute, loop for quick ones.",
)
@remote(whom="clients'")
@click.option("--insecure", is_flag=True, help="Let other machines come without TLS and a token.")
@click.option("--traceback", is_flag=True, help="Errors carry the traceback to our own clients.")
@click.option(
    "--page/--no-page",
    default=None,
    help="For browsers; by default where only this machine, or who has the secret, comes.",
)
@click.option(
    "--allow-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="A name it may be called by over HTTP, besides those of its addresses.",
)
@click.option("--drain", type=seconds, default="10", metavar="SECONDS", help="For the calls that run at the end; 10.")
@shared("dry_run")
@click.option("-v", "--verbose", count=True, help="Log calls that fail; twice: connections too.")
def serve_command(**given: Any) -> int:
    """See `HELP`."""
    logging.basicConfig(
        level={0: logging.WARNING, 1: logging.INFO}.get(given["verbose"], logging.DEBUG),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    target = Target.parse(given["target"], what="OBJECT", such="work.py:service")
    service = _service(target, given)
    if given["dry_run"]:
        _describe(service, target, given["addresses"])
        return 0
    try:
        number = service.serve(
            *given["addresses"],
            tls=tls(given),
            insecure=given["insecure"],
            workers=given["workers"],
            drain=given["drain"] or 86400.0,
        )
    except (ValueError, TypeError) as error:
        raise WrongUsage(sentence(error)) from None
    except ModuleNotFoundError as error:
        raise Problem(sentence(error)) from None
    except OSError as error:
        raise Problem(sentence(error.strerror or error)) from None
    except ElsewhereError as error:  # workers that cannot start
        raise Problem(sentence(error)) from None
    return 128 + number if number else 0


def _describe(service: Service, target: Target, addresses: tuple[str, ...]) -> None:
    """Say what would be served where."""
    try:
        where = [str(Address.parse(address, (*STREAMS, *HTTP))) for address in addresses]
    except (ValueError, TypeError) as error:
        raise WrongUsage(sentence(error)) from None
    click.echo(f"object    {target.identity}")
    for number, address in enumerate(where):
        click.echo(f"{'' if number else 'at':10}{address}")
    for number, method in enumerate(service.methods()):
        click.echo(f"{'' if number else 'methods':10}{method['name']}{method.get('signature') or ''}")


def _service(target: Target, given: dict[str, Any]) -> Service:
    with loading(target):
        found = target.thing()
    secret = token(given)
    if isinstance(found, Service):
        said = [option for name, option in OWN.items() if given[name] not in {None, False, ()}]
        if given["page"] is False:
            said.append("--no-page")
        if said:
            raise WrongUsage(f"{target.label} is a Service, which says itself what {said[0]} would say.")
        if secret is not None and found._token is None:  # who sets one relies on it
            raise WrongUsage(
                f"{target.label} is a Service that asks for no token, and {VARIABLE} is set: Service(token=...) asks."
            )
        return found
    try:
        if isinstance(found, type):
            found = found()
        return Service(
            found,
            token=secret,
            traceback=given["traceback"],
            where=given["where"],
            page=given["page"],
            allowed_hosts=given["allowed_hosts"],
        )
    except (ValueError, TypeError) as error:
        raise WrongUsage(sentence(f"{target.label} cannot be served: {error}")) from None
