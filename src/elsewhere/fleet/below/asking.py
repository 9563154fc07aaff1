"""What is known of a connection, of ssh's configuration, and of its agent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from elsewhere.fleet.engine import engine
from elsewhere.fleet.naming.config import config_of

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host

__all__ = ["agent_keys", "peer_address", "ssh_config"]


def peer_address(host: Host, *, ours: bool = False) -> Any:
    """The address that a host's connection goes to, or from, as sockets tell it; connects if it has none."""

    async def ask() -> Any:
        return (await host.link.connection()).get_extra_info("sockname" if ours else "peername")

    return engine().call(ask)


def ssh_config(name: str, files: Sequence[str]) -> Mapping[str, Any]:
    """What files of ssh's configuration say of a host, by the names of ssh_config.

    Raises:
        ValueError: a file cannot be understood; says where.
    """
    return config_of(name, None, None, files)


def agent_keys() -> list[Any]:
    """The keys that ssh's agent has, as asyncssh knows them.

    Raises:
        OSError: there is no agent, or it does not answer.
    """

    async def ask() -> list[Any]:
        import asyncssh

        async with asyncssh.connect_agent() as agent:
            return list(await agent.get_keys())

    return engine().call(ask)
