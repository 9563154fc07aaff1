"""Settings of hosts beside those of invoke."""

from __future__ import annotations

import errno
import getpass
import os
from collections.abc import Mapping
from typing import Any

from elsewhere.fabric.v3.invoke.config import Config as InvokeConfig
from elsewhere.fabric.v3.invoke.config import merge_dicts

__all__ = ["Config", "SSHConfig"]


class SSHConfig:
    """What files of ssh's configuration say of hosts, under the names that paramiko gives.

    Args:
        files: them, the first one counts most.
    """

    def __init__(self, files: tuple[str, ...] = ()) -> None:
        self.files = files

    def lookup(self, host: str) -> dict[str, Any]:
        """What they say of a host: names in small letters, to texts and lists of texts."""
        from elsewhere.fleet.below import ssh_config

        says: Mapping[str, Any] = ssh_config(host, self.files) if self.files else {}
        found: dict[str, Any] = {"hostname": host}
        for name, value in says.items():
            found[name.lower()] = [str(each) for each in value] if isinstance(value, list | tuple) else str(value)
        if "forwardagent" in found:
            found["forwardagent"] = "yes" if found["forwardagent"] in {"True", "yes"} else "no"
        return found


class Config(InvokeConfig):
    """See the module.

    Args:
        ssh_config: instead of files of ssh's configuration.
        runtime_ssh_path: a file instead of the usual ones.
        system_ssh_path, user_ssh_path: the usual ones.
        kwargs: see invoke's.
    """

    prefix = "fabric"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        given = kwargs.pop("ssh_config", None)
        self._set(
            _ssh_path=kwargs.pop("runtime_ssh_path", None),
            _system_ssh_path=kwargs.pop("system_ssh_path", "/etc/ssh/ssh_config"),
            _user_ssh_path=kwargs.pop("user_ssh_path", "~/.ssh/config"),
            _ssh_config=given,
            _ssh_given=given is not None,
        )
        super().__init__(*args, **kwargs)

    @classmethod
    def from_v1(cls, env: Any, **kwargs: Any) -> Config:
        """One with what an ``env`` of Fabric 1 says."""
        data: dict[str, Any] = kwargs.pop("overrides", {})
        for group in ("connect_kwargs", "run", "sudo", "timeouts"):
            data.setdefault(group, {})
        connect = data["connect_kwargs"]
        data["run"].setdefault("pty", env.always_use_pty)
        data["run"].setdefault("warn", env.warn_only)
        data.setdefault("gateway", env.gateway)
        data.setdefault("forward_agent", env.forward_agent)
        if env.key_filename is not None:
            connect.setdefault("key_filename", env.key_filename)
        connect.setdefault("allow_agent", not env.no_agent)
        connect.setdefault("password", env.password)
        data.setdefault("ssh_config_path", env.ssh_config_path)
        data.setdefault("load_ssh_configs", env.use_ssh_config)
        data["sudo"].setdefault("password", env.sudo_password)
        if not data["sudo"]["password"]:
            data["sudo"]["password"] = env.password
        data["sudo"].setdefault("prompt", env.sudo_prompt)
        data["timeouts"].setdefault("connect", env.timeout)
        return cls(overrides=data, **kwargs)

    @staticmethod
    def global_defaults() -> dict[str, Any]:
        from elsewhere.fabric.v3.remote.runners import Remote, RemoteShell

        ours = {
            "accept_new": False,
            "authentication": {"identities": [], "strategy_class": None},
            "connect_kwargs": {},
            "forward_agent": False,
            "gateway": None,
            "inline_ssh_env": True,
            "load_ssh_configs": True,
            "port": 22,
            "runners": {"remote": Remote, "remote_shell": RemoteShell},
            "ssh_config_path": None,
            "tasks": {"collection_name": "fabfile"},
            "timeouts": {"connect": None},
            "user": _user(),
        }
        return merge_dicts(InvokeConfig.global_defaults(), ours)

    def set_runtime_ssh_path(self, path: str | None) -> None:
        """A file that the command line names; it is read instead of the usual ones."""
        self._set(_ssh_path=path)

    def load_ssh_config(self) -> None:
        """Look for files again.

        Raises:
            FileNotFoundError: the one that was named is not there.
        """
        if not self._ssh_given:
            self._set(_ssh_config=SSHConfig(self._ssh_files()))

    def _ssh_files(self) -> tuple[str, ...]:
        named = self.ssh_config_path or self._ssh_path
        if named is not None:
            path = os.path.expanduser(str(named))
            if not os.path.exists(path):
                raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(named))
            return (path,)
        if not self.load_ssh_configs:
            return ()
        usual = (os.path.expanduser(path) for path in (self._user_ssh_path, self._system_ssh_path))
        return tuple(path for path in usual if os.path.isfile(path))

    @property
    def base_ssh_config(self) -> SSHConfig:
        """What files of ssh's configuration say."""
        if self._ssh_config is None:
            self.load_ssh_config()
        found: SSHConfig = self._ssh_config
        return found

    def clone(self, into: Any = None) -> Any:
        """See invoke's."""
        new = super().clone(into)
        if isinstance(new, Config):
            names = ("_ssh_path", "_system_ssh_path", "_user_ssh_path", "_ssh_config", "_ssh_given")
            new._set(**{name: getattr(self, name) for name in names})
        return new


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name
        return None
