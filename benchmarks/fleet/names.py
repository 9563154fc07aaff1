"""What contestants are called in tables."""

NAMES = {
    "ours": "elsewhere",
    "fabric": "Fabric 3",
    "asyncssh": "asyncssh",
    "asyncssh_uvloop": "asyncssh on uvloop",
    "paramiko": "paramiko",
    "tar": "tar through ssh",
    "rsync": "rsync",
    "scp": "scp",
}
