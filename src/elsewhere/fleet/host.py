"""`Host`: one machine that is reached over SSH."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from elsewhere.call import Options
from elsewhere.fleet.verbs.base import engine
from elsewhere.fleet.verbs.calls import Calls
from elsewhere.fleet.verbs.closing import Closing
from elsewhere.fleet.verbs.commands import Commands
from elsewhere.fleet.verbs.files import Files
from elsewhere.fleet.verbs.ways import Ways
from elsewhere.sansio.hosts.names import Spec

if TYPE_CHECKING:
    from typing import Unpack

    from elsewhere.fleet.calling.keeping import Kept
    from elsewhere.fleet.link.link import Link
    from elsewhere.fleet.naming.settings import Settings
    from elsewhere.fleet.options import HostOptions
    from elsewhere.sansio.hosts.inventory import Entry

__all__ = ["Host"]


class Host(Calls, Commands, Files, Ways, Closing):
    """One machine; equal to its own text, so that ``results["web1"]`` finds it.

    Args:
        name: ``"web1"``, ``"user@web1:2222"``, or an alias of ~/.ssh/config.
        entry: what an inventory says of it.

    Keyword Args:
        user (str | None): as whom, where the name does not say it.
        port (int | None): where the name does not say it.
        keys (str | Path | SSHKey | list | None): files of private keys, or keys that asyncssh has loaded; only these
            are tried, with ``()`` no file at all.
        passphrase (str | None): of encrypted keys.
        password (str | None): of the login. It shows nowhere.
        known_hosts (str | Path | list | None): files, instead of those that ssh is configured to use.
        host_keys (str | None): ``"strict"``, ``"accept-new"`` or ``"off"``. A key that has changed is fatal with the
            first two.
        connect_timeout (float | None): seconds for the whole way up to the login; 10 by default.
        keepalive (float | None): seconds between two looks whether the host is still there, 15 by default; 0 for none.
        jump (str | list | None): hosts on the way, the first one first: names, with commas between them.
        proxy_command (str | None): a program whose input and output are the way there, as ssh's ProxyCommand; ``%h``,
            ``%p`` and ``%r`` in it are the host, the port and the user. ``"none"`` for none, whatever files say.
        agent (bool | str | None): use ssh's agent: True, False, or the path of its socket.
        forward_agent (bool | None): let the far side use it.
        config (str | Path | list | None): files instead of ``~/.ssh/config`` and the system's; ``()`` for none.
        python (str | None): the interpreter there that runs Python functions, a path or a name; the first that is
            found by default.
        trust (bool | None): unpickle whatever functions give back, which lets the host run code here. False by default.

    What is left out (or None) is looked for in the inventory's entry, then in ssh's configuration.

    Also a context manager, which closes the connection. It is connected when that is first needed.

    Raises:
        ValueError: the name is none.
        TypeError, ValueError: an option is wrong.

    It can be pickled, without its connection, and so can what its verbs give and raise.
    """

    def __init__(self, name: str, *, entry: Entry | None = None, **options: Unpack[HostOptions]) -> None:
        from elsewhere.fleet.naming.given import given

        self.spec = Spec.parse(name)
        self.name = name.strip()
        self._given = given(options)
        self._entry = entry
        self._settings: Settings | None = None
        self._link: Link | None = None
        self._options = Options()
        self._root: Host | None = None
        self._kept: Kept | None = None

    @property
    def root(self) -> Host:
        """This host itself, where this is a view of it; see `options`."""
        return self._root or self

    @property
    def settings(self) -> Settings:
        """How it is reached.

        Raises:
            ValueError: ~/.ssh/config cannot be understood.
        """
        root = self.root
        if root._settings is None:
            from elsewhere.fleet.naming.settings import resolve

            root._settings = resolve(root.spec, root._given, root._entry)
        return root._settings

    @property
    def python(self) -> str | None:
        """The interpreter there that was named, by the program or by an inventory; None for the first that is found."""
        root = self.root
        return root._given.python or (None if root._entry is None else root._entry.python)

    @property
    def link(self) -> Link:
        """Its connection; for coroutines on the engine's loop."""
        root, links = self.root, engine().links
        if root._link is None or root._link.links is not links:  # after a fork it is the parent's
            root._link = links.link(root.settings)
        return root._link

    async def _close(self) -> None:
        root = self.root
        kept, root._kept = root._kept, None
        if kept is not None:
            kept.end()
        link, root._link = root._link, None
        if link is not None and link.links is engine().links:
            await link.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_link": None, "_kept": None, "_settings": None}

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<Host {self.name}>"

    def __eq__(self, other: object) -> bool:
        return str(other) == self.name if isinstance(other, Host | str) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.name)
