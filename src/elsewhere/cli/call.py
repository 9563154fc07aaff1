"""The verb ``call``: a method of a service, or of any peer of MessagePack-RPC, JSON-RPC or XML-RPC."""

from __future__ import annotations

import base64
import contextlib
import json
import sys
import time
from typing import Any, NoReturn

import click

from elsewhere.cli.completion.candidates import addresses
from elsewhere.cli.ending import Problem, WrongUsage, sentence
from elsewhere.cli.help import Verb
from elsewhere.cli.options import shared
from elsewhere.cli.remote import VARIABLE, remote, tls, token
from elsewhere.errors import ElsewhereError, MethodNotFound
from elsewhere.rpc import Client, connect
from elsewhere.transport.address import STREAMS, WEB, Address

__all__ = ["call_command"]

HELP = """Call METHOD of the service at ADDRESS with each ARG, and print its result as JSON.

ADDRESS is tcp://host:port, tls://host:port or unix:///path for MessagePack-RPC, http://host:port or https://host for
JSON-RPC, and with the path /RPC2 for XML-RPC. An ARG is JSON, or a text where it is none; put -- before one that begins
with a minus sign.
"""
MORE = """jsonrpc+http://, xmlrpc+http://, xmlrpc+unix:///path and so on say outright which protocol it is.

A result of bytes goes to --output FILE, or to a pipe as it is. Bytes inside of others are printed as base64.

Exit code: 0 all well, 1 the call failed, 2 wrong usage; 130, 143, 129 after Ctrl-C, SIGTERM, SIGHUP.
"""
EXAMPLES = (
    "elsewhere call tcp://localhost:6789 double 21",
    "elsewhere call http://localhost:8000 --list",
)
FIRST = (
    "listed", "string", "keyword", "timeout", "retries", "output", "as_json", "token_file", "user", "ca", "bench",
    "dry_run",
)  # fmt: skip
BENCH = 2.0  # seconds for each of the two ways
RUN = 1000  # calls that are pipelined before their answers are waited for


@click.command("call", cls=Verb, help=HELP, more=MORE, examples=EXAMPLES, first=FIRST)
@click.argument("address", shell_complete=addresses)
@click.argument("method", required=False)
@click.argument("args", nargs=-1, metavar="[ARG]...")
@click.option("-s", "--string", is_flag=True, help="Each ARG is a text, whatever it looks like.")
@click.option("-k", "--keyword", multiple=True, metavar="NAME=ARG", help="A keyword argument; our services take such.")
@click.option("--list", "listed", is_flag=True, help="Print which methods there are.")
@click.option("--bench", is_flag=True, help="Print how long calls of it take, after 4 s of them.")
@click.option("-u", "--user", metavar="NAME", help="Over HTTP: who calls; the secret is a password then.")
@click.option("-o", "--output", type=click.Path(), metavar="FILE", help="Write the result there.")
@shared("timeout", "retries", "text", "dry_run")
@remote(whom="the service's")
def call_command(**given: Any) -> int:
    """See `HELP`."""
    if given["listed"] == bool(given["method"]):
        raise WrongUsage("Give a METHOD, or --list to see which there are.")
    args, kwargs = _arguments(given)
    if given["dry_run"]:
        _describe(given, args, kwargs)
        return 0
    with _connected(given) as client:
        if given["listed"]:
            _list(client, as_json=given["as_json"])
        elif given["bench"]:
            _bench(client, given["method"], args, kwargs)
        else:
            _write(_called(client, given["method"], args, kwargs), given)
    return 0


def _describe(given: dict[str, Any], args: list[Any], kwargs: dict[str, Any]) -> None:
    """Say what would be called, and as what each ARG was understood."""
    try:
        address = Address.parse(given["address"], (*STREAMS, *WEB))
    except (ValueError, TypeError) as error:
        raise WrongUsage(sentence(error)) from None
    shown = [repr(arg) for arg in args] + [f"{name}={value!r}" for name, value in kwargs.items()]
    click.echo("lists     its methods" if given["listed"] else f"calls     {given['method']}({', '.join(shown)})")
    click.echo(f"at        {address}")


def _connected(given: dict[str, Any]) -> Client:
    secret = token(given)
    options: dict[str, Any] = {"tls": tls(given), "retry": given["retries"] or None}
    if given["user"] is None:
        options["token"] = secret
    elif secret is None:
        raise WrongUsage(f"--user has a password: it is the first line of --token-file, or what {VARIABLE} is.")
    else:
        options |= {"user": given["user"], "password": secret}
    if given["timeout"] is not None:
        options["timeout"] = given["timeout"]
    try:
        return connect(given["address"], **options)
    except ElsewhereError as error:
        raise Problem(sentence(error)) from None
    except (ValueError, TypeError) as error:
        raise WrongUsage(sentence(error)) from None
    except OSError as error:
        raise Problem(sentence(error.strerror or error)) from None


def _arguments(given: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    read = str if given["string"] else _read
    kwargs = {}
    for each in given["keyword"]:
        name, equals, text = each.partition("=")
        if not equals or not name:
            raise WrongUsage(f"--keyword is NAME=ARG, not {each!r}.")
        kwargs[name] = read(text)
    return [read(text) for text in given["args"]], kwargs


def _read(text: str) -> Any:
    """JSON, or the text itself."""
    try:
        return json.loads(text, parse_constant=_no_json)
    except ValueError:
        return text


def _no_json(text: str) -> NoReturn:
    raise ValueError(text)  # NaN and Infinity, which Python would read


def _called(client: Client, method: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    try:
        return client.call(method, *args, **kwargs)
    except MethodNotFound as error:
        raise Problem(f"{error}. See 'elsewhere call {client.address} --list'.") from None
    except ElsewhereError as error:
        raise Problem(sentence(error)) from None
    except (TypeError, ValueError, OverflowError) as error:
        raise WrongUsage(sentence(error)) from None


def _list(client: Client, *, as_json: bool) -> None:
    try:
        found = client.methods()
    except ElsewhereError as error:
        raise Problem(sentence(error)) from None
    for method in found:
        if as_json:
            click.echo(json.dumps(method, ensure_ascii=False))
        else:
            first = (method.get("doc") or "").strip().partition("\n")[0]
            click.echo(f"{method['name']}{method.get('signature') or ''}{f'  {first}' if first else ''}")


# ---------------------------------------------------------------- results


def _write(value: Any, given: dict[str, Any]) -> None:
    if isinstance(value, bytes):
        _write_bytes(value, given["output"])
        return
    if isinstance(value, str) and not given["as_json"]:
        text = value
    else:
        text = json.dumps(_plain(value), ensure_ascii=False)
    data = (text + "\n").encode("utf-8", "surrogateescape")
    if given["output"] is None:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    else:
        _write_bytes(data, given["output"])


def _write_bytes(data: bytes, path: str | None) -> None:
    if path is None:
        if sys.stdout.isatty():
            raise Problem(f"The result is {len(data):,} bytes: give --output FILE, or a pipe, to have them.")
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
        return
    try:
        with open(path, "wb") as file:
            file.write(data)
    except OSError as error:
        raise Problem(f"--output {path} cannot be written: {error.strerror}. The call has run.") from None


def _plain(value: Any) -> Any:
    """What JSON can hold."""
    if isinstance(value, dict):
        return {key if isinstance(key, str) else json.dumps(_plain(key)): _plain(part) for key, part in value.items()}
    if type(value) is list:
        return [_plain(part) for part in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, tuple):  # an extension type of MessagePack: its number and data
        return [_plain(part) for part in value]
    if hasattr(value, "to_datetime"):  # MessagePack's timestamp
        with contextlib.suppress(ValueError, OverflowError):  # before the year 1, or after 9999
            return str(value.to_datetime().isoformat())
    return str(value)


# ---------------------------------------------------------------- how fast


def _bench(client: Client, method: str, args: list[Any], kwargs: dict[str, Any]) -> None:
    _called(client, method, args, kwargs)  # it works; and what has to be made once is made
    took = []
    end = time.perf_counter() + BENCH
    while (begin := time.perf_counter()) < end:
        _called(client, method, args, kwargs)
        took.append(time.perf_counter() - begin)
    took.sort()
    p50, p99 = (took[int(len(took) * part)] * 1e6 for part in (0.5, 0.99))
    rate = len(took) / sum(took)
    click.echo(f"one after the other  {rate:12,.0f} calls/s   half within {p50:,.0f} µs, 99 % within {p99:,.0f} µs")
    try:
        rate = _pipelined(client, method, args, kwargs)
    except ElsewhereError as error:
        raise Problem(sentence(error)) from None
    click.echo(f"pipelined            {rate:12,.0f} calls/s")


def _pipelined(client: Client, method: str, args: list[Any], kwargs: dict[str, Any]) -> float:
    """Calls a second."""
    count, begin = 0, time.perf_counter()
    while (now := time.perf_counter()) < begin + BENCH:
        futures = [client.submit(method, *args, **kwargs) for _ in range(RUN)]
        for future in futures:
            future.result()
        count += RUN
    return count / (now - begin)
