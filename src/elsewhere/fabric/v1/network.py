"""Hosts as Fabric 1 writes them, and the way there."""

from __future__ import annotations

import errno
import getpass
import os
import re
import sys
import time
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from elsewhere.errors import ConnectError, ConnectTimeout, HostKeyError, Unauthorized
from elsewhere.fabric.v1.exceptions import NetworkError
from elsewhere.fabric.v1.state import connections, env, output
from elsewhere.fabric.v1.utils import abort, handle_prompt_abort, isatty, warn

if TYPE_CHECKING:
    from elsewhere.fleet import Host

__all__ = [
    "connected", "denormalize", "disconnect_all", "from_dict", "join_host_strings", "key_filenames", "needs_host",
    "normalize", "normalize_to_string", "parse_host_string", "prompt_for_password", "reached", "to_dict",
]  # fmt: skip

_HOST = re.compile(r"(?:(?P<user>.+)@)?(?:\[(?P<six>[^\]]+)\]|(?P<host>[^\[\]]*?))(?::(?P<port>\d*))?")
_TRIES = 3  # passwords, of which somebody types one after the other


# ---- texts -----------------------------------------------------------------------------------------------------------


def parse_host_string(host_string: str) -> dict[str, str | None]:
    """``user@host:port`` in parts; None for what it does not say."""
    user, _, place = host_string.rpartition("@")
    if place.count(":") > 1 and not place.startswith("["):
        return {"user": user or None, "host": place, "port": None}
    found = _HOST.fullmatch(place)
    if found is None:
        return {"user": user or None, "host": place or None, "port": None}
    return {"user": user or None, "host": found["six"] or found["host"] or None, "port": found["port"] or None}


def normalize(host_string: str | None, omit_port: bool = False) -> Any:
    """The user, the host and the port that are meant, by what ``env`` and ~/.ssh/config say."""
    if not host_string:
        return ("", "") if omit_port else ("", "", "")
    told = parse_host_string(host_string)
    user, host, port = env.user or env.local_user, told["host"], None
    if env.use_ssh_config:
        says = _configured(str(host))
        if user == env.local_user:
            user = says.get("User") or user
        host = says.get("Hostname") or host
        port = says.get("Port")
    user = told["user"] or user
    port = told["port"] or (None if port is None else str(port)) or env.port or env.default_port
    return (user, host) if omit_port else (user, host, port)


def _configured(host: str) -> Any:
    from elsewhere.fleet.below import ssh_config

    path = os.path.expanduser(env.ssh_config_path)
    if not os.path.isfile(path):
        warn(f"Unable to load SSH config file '{path}'")
        return {}
    return ssh_config(host, (path,))


def to_dict(host_string: str) -> dict[str, Any]:
    """What ``env`` holds of a host while a task runs there."""
    user, host, port = normalize(host_string)
    return {"user": user, "host": host, "port": port, "host_string": host_string}


def from_dict(arg: Any) -> str:
    """The text of what `to_dict` gives."""
    return join_host_strings(arg["user"], arg["host"], arg["port"])


def join_host_strings(user: Any, host: Any, port: Any = None) -> str:
    """``user@host:port``, with brackets where the host is an IPv6 address with a port."""
    if not port:
        return f"{user}@{host}"
    return f"{user}@[{host}]:{port}" if str(host).count(":") > 1 else f"{user}@{host}:{port}"


def normalize_to_string(host_string: str) -> str:
    """The one text for all that mean the same host."""
    return join_host_strings(*normalize(host_string))


def denormalize(host_string: str) -> str:
    """The text without what is meant anyway."""
    told = parse_host_string(host_string)
    user = f"{told['user']}@" if told["user"] and told["user"] != env.user else ""
    port = f":{told['port']}" if told["port"] and told["port"] != "22" else ""
    host = str(told["host"])
    return f"{user}{f'[{host}]' if port and host.count(':') > 1 else host}{port}"


def key_filenames() -> list[str]:
    """The files of keys that are to be used for the current host."""
    keys = env.key_filename
    found = [keys] if isinstance(keys, str) or keys is None else list(keys)
    found = [key for key in found if key]
    if env.use_ssh_config and env.host_string:
        found += _configured(str(parse_host_string(env.host_string)["host"])).get("IdentityFile") or []
    return [os.path.expanduser(str(key)) for key in found]


# ---- the way there ---------------------------------------------------------------------------------------------------


def reached(host_string: str) -> Host:
    """A host that is connected.

    Raises:
        NetworkError: there is no way there.
    """
    return connections[host_string]


def connected(host_string: str) -> Host:
    """A new connection; see `reached`. A password is asked for where the host wants one and somebody is there."""
    user, host, port = normalize(host_string)
    password = _password(user, host, port)
    for left in range(_TRIES, -1, -1):
        try:
            return _tried(_described(host_string, password), str(host), str(port))
        except ValueError as error:  # no host's name, or a file of keys that is none
            raise NetworkError(str(error), error) from error
        except Unauthorized as error:
            if not left or not (isatty(sys.stdin) or env.abort_on_prompts or env.parallel):
                raise NetworkError(str(error), error) from error
            password = prompt_for_password(f"[{env.host_string}] Login password for '{user}'")
            env.password = env.passwords[join_host_strings(user, host, port)] = password
    raise AssertionError


def _password(user: str, host: str, port: str) -> str | None:
    found = env.passwords.get(join_host_strings(user, host, port), env.password)
    return found or None


def _described(host_string: str, password: str | None) -> Host:
    """The host as ``env`` says that it is reached."""
    from elsewhere.fleet import Host

    user, _, port = normalize(host_string)
    named = str(parse_host_string(host_string)["host"])
    options: dict[str, Any] = {
        "config": (os.path.expanduser(env.ssh_config_path),) if env.use_ssh_config else (),
        "connect_timeout": float(env.timeout) if env.timeout else None,
        "keepalive": float(env.keepalive) if env.keepalive else None,
        "password": password,
        "passphrase": password,
        "forward_agent": True if env.forward_agent else None,
        "jump": env.gateway or None,
    }
    keys = key_filenames()
    if keys:
        options["keys"] = tuple(keys)
    elif env.no_keys:
        options["keys"] = ()
    if env.no_agent:
        options["agent"] = False
    if env.system_known_hosts:
        options["known_hosts"] = (os.path.expanduser("~/.ssh/known_hosts"), os.path.expanduser(env.system_known_hosts))
    if env.accept_new or env.disable_known_hosts:
        options["host_keys"] = "accept-new"
    return Host(join_host_strings(user, named, port), **options)


def _tried(host: Host, name: str, port: str) -> Host:
    """The host, connected, after as many tries as ``env.connection_attempts`` says."""
    attempts = max(1, int(env.connection_attempts))
    for attempt in range(1, attempts + 1):
        try:
            host.connect()
            return host
        except ConnectError as error:
            host.close()
            if attempt < attempts and error.phase not in {"host key", "resolve"}:
                if not isinstance(error, ConnectTimeout):
                    time.sleep(float(env.timeout))  # as long as a try that gets no answer
                continue
            raise _network_error(error, name, port, attempt) from error
    raise AssertionError


def _network_error(error: ConnectError, host: str, port: str, attempts: int) -> NetworkError:
    tried = f" (tried {attempts} time{'s' if env.connection_attempts > 1 else ''})"
    if isinstance(error, HostKeyError):
        if error.changed:
            text = (
                f"Host key for {host} did not match pre-existing key! Server's key was changed recently, or possible "
                "man-in-the-middle attack."
            )
            return NetworkError(text, error)
        return NetworkError(f"{error}; --accept-new believes it and remembers it", error)
    cause: BaseException | None = error
    while cause is not None and not (isinstance(cause, OSError) and cause.errno):
        cause = cause.__cause__ or cause.__context__
    if error.phase == "resolve":
        return NetworkError(f"Name lookup failed for {host}", cause or error)
    if isinstance(error, ConnectTimeout):
        return NetworkError(f"Timed out trying to connect to {host}{tried}", TimeoutError("timed out"))
    if isinstance(cause, OSError) and cause.errno:
        # In the words of the original's library, which task files and people look for.
        nobody = cause.errno in {errno.ECONNREFUSED, errno.EHOSTUNREACH}
        reason = f"Unable to connect to port {port} on {host}" if nobody else os.strerror(cause.errno)
        text = f"Low level socket error connecting to host {host} on port {port}: {reason}{tried}"
        return NetworkError(text, OSError(cause.errno, reason))
    return NetworkError(str(error), error)


def prompt_for_password(prompt: str | None = None, no_colon: bool = False, stream: Any = None) -> str:
    """Ask for one at the terminal until it is not empty."""
    handle_prompt_abort("a connection or sudo password")
    text = f"[{env.host_string}] Login password for '{env.user}'" if prompt is None else prompt
    if not no_colon:
        text += ": "
    stream = stream or sys.stderr
    while not (found := getpass.getpass(text, stream)):
        print("Sorry, you can't enter an empty password. Please try again.")
    return found


def needs_host(func: Callable[..., Any]) -> Any:
    """A function that asks for a host where there is none."""

    @wraps(func)
    def inner(*args: Any, **kwargs: Any) -> Any:
        while not env.get("host_string"):
            handle_prompt_abort("the target host connection string")
            try:
                found = input("No hosts found. Please specify (single) host string for connection: ")
            except EOFError:
                abort("No hosts found, and there is nobody to ask: name them with -H, env.hosts or @hosts.")
            else:
                env.update(to_dict(found))
        return func(*args, **kwargs)

    inner.undecorated = func  # type: ignore[attr-defined]  # task files unwrap it
    return inner


def disconnect_all() -> None:
    """Close all connections, and say so."""
    for key in list(connections):
        if output.status:
            sys.stdout.write(f"Disconnecting from {denormalize(key)}... ")
        del connections[key]
        if output.status:
            sys.stdout.write("done.\n")
    connections.close_all()
