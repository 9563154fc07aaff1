"""Each public name of the originals is a name of ours, or is here with the reason why not."""

from __future__ import annotations

import importlib
import json
import subprocess
from typing import Any

import pytest

from elsewhere.fabric import v1, v3
from tests.fabric.beside import VENV
from tests.require import require

TELL = """
import importlib, inspect, json, sys
found = {}
for name in json.loads(sys.argv[1]):
    module = importlib.import_module(name)
    found[name] = [
        key for key, value in vars(module).items()
        if not key.startswith("_") and not inspect.ismodule(value)
        and key not in ("TYPE_CHECKING", "WINDOWS", "PIPE", "T")
        and (getattr(value, "__module__", name) or name).partition(".")[0] in ("fabric", "invoke")
    ]
print(json.dumps(found))
"""

# What task files have no use for: helpers that the originals import from each other, and what belongs to their own way
# to talk SSH.
NOT_OURS: dict[int, dict[str, set[str]]] = {
    1: {
        "fabric.context_managers": {"documented_contextmanager", "ThreadHandler", "output", "connections", "env",
                                    "isatty",
                                    "win32"},
        "fabric.contrib.project": {"getcwd", "sep"},
        "fabric.main": {
            "display_command", "execute", "extract_tasks", "find_fabfile", "get_task_details", "is_classic_task",
            "is_task_module", "is_task_object", "load_fabfile", "load_settings", "load_tasks_from_module",
            "parse_arguments", "parse_options", "parse_remainder", "update_output_levels", "COMMANDS_HEADER",
            "NESTED_REMINDER", "env_options", "reduce", "abort", "indent", "warn", "crawl", "disconnect_all", "Task",
        },
        "fabric.network": {
            "HostConnectionCache", "connect", "get_gateway", "is_key_load_error", "key_from_env", "ssh_config",
            "get_password", "set_password", "ipv6_regex", "host_pattern", "host_regex", "direct_tcpip",
        },
        "fabric.operations": {
            "SFTP", "ThreadHandler", "char_buffered", "closing", "default_channel", "hide", "input_loop", "output_loop",
            "quiet_manager", "settings", "ssh_config", "warn_only_manager", "abort", "error", "handle_prompt_abort",
            "indent", "warn", "apply_lcwd", "env", "connections", "output", "win32",
        },
        "fabric.state": {"HostConnectionCache", "default_channel", "default_ssh_config_path", "env_options",
                         "exception_dict", "exceptions", "get_version", "e"},
        "fabric.tasks": {
            "JobQueue", "NetworkError", "abort", "crawl", "disconnect_all", "error", "merge", "parse_kwargs",
            "settings", "to_dict", "warn",
        },
        "fabric.contrib.files": {"abort", "apply_lcwd", "env", "hide", "put", "run", "settings", "sudo"},
        "fabric.contrib.console": set(),
        "fabric.decorators": {"Random", "settings"},
        "fabric.task_utils": {"abort", "indent"},
        "fabric.version": {"VERSION", "get_version", "git_sha", "PIPE"},
    },
    3: {
        "fabric": {"OpenSSHAuthStrategy"},
        "fabric.connection": {
            "AgentRequestHandler", "AutoAddPolicy", "ProxyCommand", "SSHClient", "SSHConfig", "Tunnel", "TunnelManager",
            "opens", "InvalidV1Env", "ThreadException", "Transfer", "Context",
        },
        "fabric.executor": {"Call", "ConnectionCall", "NothingToDo", "Task", "debug"},
        "fabric.group": {"ExceptionHandlingThread", "thread_worker", "Connection", "GroupException"},
        "fabric.main": {"Fab", "make_program", "program", "Argument", "Collection", "Config", "Executor", "Exit",
                        "Program", "fabric", "invoke", "paramiko"},
        "fabric.runners": {"InvokeResult", "Runner", "cares_about_SIGWINCH", "pty_size"},
        "fabric.config": {"InvokeConfig", "Remote", "RemoteShell", "debug", "get_local_user", "merge_dicts"},
        "fabric.tasks": {"Connection"},
        "fabric.transfer": {"debug"},
        "invoke": {"FilesystemLoader", "MockContext", "Program"},
        "invoke.collection": {"Lexicon", "Task", "copy_dict", "merge_dicts", "ParserContext"},
        "invoke.config": {
            "AmbiguousMergeError", "Environment", "Local", "UnknownFileType", "UnpicklableConfigMember", "copy_dict",
            "debug", "excise", "load_source", "merge_dicts", "obliterate", "yaml",
        },
        "invoke.context": {"MockContext", "AuthFailure", "Config", "DataProxy", "FailingResponder", "Failure",
                           "ResponseNotAccepted", "Result"},
        "invoke.executor": {"Call", "Config", "ParserContext", "Task", "debug"},
        "invoke.exceptions": set(),
        "invoke.parser": {"Lexicon", "ParseError", "ParseMachine", "StateMachine", "is_flag", "is_long_flag", "state",
                          "transition"},
        "invoke.runners": {
            "CommandTimedOut", "ExceptionHandlingThread", "SubprocessPipeError", "ThreadException", "UnexpectedExit",
            "WatcherError", "bytes_to_read", "character_buffered", "default_encoding", "has_fileno", "isatty",
            "pty_size", "ready_for_reading",
        },
        "invoke.tasks": {"Argument", "Context", "translate_underscores"},
        "invoke.util": {
            "Lexicon", "LOG_FORMAT", "enable_logging", "task_name_sort_key", "cd", "has_fileno",
            "isatty",
        },
        "invoke.watchers": {"ResponseNotAccepted"},
    },
}  # fmt: skip


@pytest.mark.parametrize("dialect", [1, 3])
def test_every_name_is_there(dialect: int) -> None:
    names: dict[str, str] = {1: v1.NAMES, 3: v3.NAMES}[dialect]
    python = require(file=f"{VENV[dialect]}/bin/python", install=f".ci/peers fabric{dialect}")
    done = subprocess.run(
        [str(python), "-W", "ignore", "-c", TELL, json.dumps(list(names))], capture_output=True, text=True, check=True
    )
    theirs: dict[str, list[str]] = json.loads(done.stdout)
    missing = {}
    for module, keys in theirs.items():
        ours: Any = importlib.import_module(names[module])
        left = [key for key in keys if key not in vars(ours) and key not in NOT_OURS[dialect].get(module, ())]
        if left:
            missing[module] = sorted(left)
    assert missing == {}
