"""One host, with settings and commands: what a task of Fabric 2 and 3 is given."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from elsewhere.fabric.shared.sftp import Sftp
from elsewhere.fabric.v3.config import Config
from elsewhere.fabric.v3.exceptions import InvalidV1Env
from elsewhere.fabric.v3.invoke.context import Context
from elsewhere.fabric.v3.remote.client import Client, Transport
from elsewhere.fabric.v3.remote.failures import known_to_task_files
from elsewhere.fabric.v3.remote.transfer import Transfer
from elsewhere.fabric.v3.remote.way import described, gateway_of

if TYPE_CHECKING:
    from elsewhere.fleet import Host

__all__ = ["Config", "Connection", "derive_shorthand"]

TWICE = "You supplied the {} via both shorthand and kwarg! Please pick one."
AMBIGUOUS = "Refusing to be ambiguous: connect() kwarg '{}' was given both via regular arg and via connect_kwargs!"


def derive_shorthand(host_string: str) -> dict[str, Any]:
    """``user@host:port`` in parts; more than one colon is an IPv6 address without a port."""
    user, _, place = host_string.rpartition("@")
    host, colon, port = place.rpartition(":") if place.count(":") == 1 else (place, "", "")
    return {"user": user or None, "host": host or None, "port": int(port) if colon and port else None}


class Connection(Context):
    """A host, connected when that is first needed; also a context manager, which disconnects.

    Args:
        host: its name; ``user@host:port`` for short.
        user, port: where the name does not say them.
        config: the settings.
        gateway: a `Connection` to go through, or a program as ssh's ProxyCommand.
        forward_agent: let the host use the agent here.
        connect_timeout: seconds.
        connect_kwargs: ``key_filename pkey password passphrase look_for_keys allow_agent timeout``.
        inline_ssh_env: taken and ignored: variables travel apart from the command.

    Raises:
        ValueError: the user or the port are said twice.
    """

    host: Any = None
    original_host: Any = None
    user: Any = None
    port: Any = None
    ssh_config: Any = None
    gateway: Any = None
    forward_agent: Any = None
    connect_timeout: Any = None
    connect_kwargs: Any = None
    inline_ssh_env: Any = None
    _host: Any = None
    _sftp: Any = None

    def __init__(
        self,
        host: str,
        user: str | None = None,
        port: int | None = None,
        config: Any = None,
        gateway: Any = None,
        forward_agent: bool | None = None,
        connect_timeout: float | None = None,
        connect_kwargs: Any = None,
        inline_ssh_env: bool | None = None,
    ) -> None:
        if config is None:
            config = Config()
        elif not isinstance(config, Config):
            config = config.clone(into=Config)
        super().__init__(config=config)
        told = self.derive_shorthand(host)
        for name, value in (("user", user), ("port", port)):
            if told[name] is not None and value is not None:
                raise ValueError(TWICE.format(name))
        says = config.base_ssh_config.lookup(told["host"])
        self.ssh_config = says
        self.original_host = told["host"]
        self.host = says["hostname"]
        self.user = told["user"] or user or says.get("user", config.user)
        self.port = told["port"] or port or int(says.get("port", config.port))
        self.gateway = gateway if gateway is not None else gateway_of(self)
        told_agent = says["forwardagent"] == "yes" if "forwardagent" in says else config.forward_agent
        self.forward_agent = told_agent if forward_agent is None else forward_agent
        if connect_timeout is None:
            connect_timeout = says.get("connecttimeout", config.timeouts.connect)
        self.connect_timeout = None if connect_timeout is None else int(connect_timeout)
        self.connect_kwargs = self.resolve_connect_kwargs(connect_kwargs)
        self.inline_ssh_env = config.inline_ssh_env if inline_ssh_env is None else inline_ssh_env

    @classmethod
    def from_v1(cls, env: Any, **kwargs: Any) -> Connection:
        """One to the host that an ``env`` of Fabric 1 names.

        Raises:
            InvalidV1Env: it names none.
        """
        if not env.host_string:
            raise InvalidV1Env(
                "Supplied v1 env has an empty `host_string` value! Please make sure you're calling Connection.from_v1 "
                "within a connected Fabric 1 session."
            )
        connect_kwargs = kwargs.setdefault("connect_kwargs", {})
        kwargs.setdefault("host", env.host_string)
        told = derive_shorthand(env.host_string)
        if not told["user"]:
            kwargs.setdefault("user", env.user)
        if not told["port"]:
            kwargs.setdefault("port", int(env.port))
        if env.key_filename is not None:
            connect_kwargs.setdefault("key_filename", env.key_filename)
        kwargs.setdefault("config", Config.from_v1(env))
        return cls(**kwargs)

    def derive_shorthand(self, host_string: str) -> dict[str, Any]:
        """See the function of that name."""
        return derive_shorthand(host_string)

    def resolve_connect_kwargs(self, connect_kwargs: Any) -> dict[str, Any]:
        """These, or those of the settings; with the keys of all of them."""
        of_config = self.config.connect_kwargs.plain()
        own = dict(connect_kwargs or {})
        keys: list[Any] = []
        for value in (
            of_config.get("key_filename", []),
            own.get("key_filename", []),
            self.ssh_config.get("identityfile", []),
        ):
            keys += [value] if isinstance(value, str) else list(value)
        found = own or of_config
        return {**found, "key_filename": keys} if keys else found

    # ---- what it is --------------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        bits = [f"host={self.host}"]
        if self.user != self.config.user:
            bits.append(f"user={self.user}")
        if self.port != self.config.port:
            bits.append(f"port={self.port}")
        if self.gateway:
            bits.append(f"gw={'proxycommand' if isinstance(self.gateway, str) else 'proxyjump'}")
        return f"<Connection {' '.join(bits)}>"

    def _identity(self) -> tuple[Any, Any, Any]:
        return self.host, self.user, self.port

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Connection) and self._identity() == other._identity()

    def __lt__(self, other: Connection) -> bool:
        return self._identity() < other._identity()

    def __hash__(self) -> int:  # type: ignore[override]  # a Context has none
        return hash(self._identity())

    # ---- the connection ----------------------------------------------------------------------------------------------

    @property
    def is_connected(self) -> bool:
        """Is there a connection?"""
        return self._host is not None and bool(self._host.is_connected)

    @property
    def client(self) -> Client:
        """What paramiko's client is in the original, as far as task files use that."""
        return Client(self)

    @property
    def transport(self) -> Transport | None:
        """What paramiko's transport is there; None where there is no connection."""
        return self.client.get_transport()

    def open(self) -> None:
        """Have a connection.

        Raises:
            ValueError: ``connect_kwargs`` say what is said elsewhere.
            ConnectError, Unauthorized: there is none to be had; see `elsewhere.fabric.v3.remote.failures`.
        """
        for key in ("hostname", "port", "username"):
            if key in self.connect_kwargs:
                raise ValueError(AMBIGUOUS.format(key))
        if "timeout" in self.connect_kwargs and self.connect_timeout is not None:
            raise ValueError(AMBIGUOUS.format("timeout"))
        if not self.is_connected:
            with known_to_task_files():
                self._the_host().connect()

    def _the_host(self) -> Host:
        if self._host is None:
            self._host = described(self)
        found: Host = self._host
        return found

    def reached(self) -> Host:
        """The `Host`, connected; raises as `open`."""
        self.open()
        return self._the_host()

    def close(self) -> None:
        """Disconnect; the next command connects again."""
        sftp, self._sftp = self._sftp, None
        if sftp is not None:
            sftp.close()
        if self._host is not None:
            self._host.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---- what is done there ------------------------------------------------------------------------------------------

    def _remote_runner(self) -> Any:
        return self.config.runners.remote(context=self, inline_env=self.inline_ssh_env)

    def run(self, command: str, **kwargs: Any) -> Any:
        """Run a command there; see invoke's `Runner.run`."""
        self.open()
        return self._remote_runner().run(self._prefix_commands(command), **kwargs)

    def sudo(self, command: str, **kwargs: Any) -> Any:
        """... under sudo, all of it; ``user=`` and ``password=``."""
        self.open()
        return self._remote_runner().sudo(self._prefix_commands(command), **self._sudo_options(kwargs))

    def shell(self, **kwargs: Any) -> Any:
        """A shell there at our terminal, until it ends."""
        self.open()
        return self.config.runners.remote_shell(context=self).run(None, **kwargs)

    def local(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command here."""
        return super().run(*args, **kwargs)

    def sftp(self) -> Sftp:
        """Its files one by one."""
        if self._sftp is None:
            self._sftp = Sftp(self.reached())
        found: Sftp = self._sftp
        return found

    def get(self, *args: Any, **kwargs: Any) -> Any:
        """Copy a file here; see `Transfer.get`."""
        return Transfer(self).get(*args, **kwargs)

    def put(self, *args: Any, **kwargs: Any) -> Any:
        """Copy a file there; see `Transfer.put`."""
        return Transfer(self).put(*args, **kwargs)

    @contextlib.contextmanager
    def forward_local(
        self,
        local_port: int,
        remote_port: int | None = None,
        remote_host: str = "localhost",
        local_host: str = "localhost",
    ) -> Iterator[None]:
        """What connects to a port here is connected to one that the host reaches."""
        with self.reached().forward_local(
            local_port, remote_port or local_port, remote_host=remote_host, local_host=local_host
        ):
            yield

    @contextlib.contextmanager
    def forward_remote(
        self,
        remote_port: int,
        local_port: int | None = None,
        remote_host: str = "127.0.0.1",
        local_host: str = "localhost",
    ) -> Iterator[None]:
        """What connects to a port there is connected to one that is reached from here."""
        with self.reached().forward_remote(
            remote_port, local_port or remote_port, remote_host=remote_host, local_host=local_host
        ):
            yield
