"""What a task does: commands and files there, commands and questions here."""

from elsewhere.fabric.v1.network import needs_host
from elsewhere.fabric.v1.operations.commands import open_shell, reboot, run, sudo
from elsewhere.fabric.v1.operations.files import get, put
from elsewhere.fabric.v1.operations.here import local, prompt, require
from elsewhere.fabric.v1.operations.values import AttributeList, AttributeString
from elsewhere.fabric.v1.operations.wrapping import escaped as _shell_escape

_AttributeString, _AttributeList = AttributeString, AttributeList  # task files know them by these names

__all__ = [
    "_AttributeList",
    "_AttributeString",
    "_shell_escape",
    "get",
    "local",
    "needs_host",
    "open_shell",
    "prompt",
    "put",
    "reboot",
    "require",
    "run",
    "sudo",
]
