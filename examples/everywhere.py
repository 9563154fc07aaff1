"""A Python function on every host, which needs Python and an sshd, nothing else. See docs/hosts-python.md."""

import os
import shutil

from elsewhere import Fleet


def health():
    """Runs there."""
    disk = shutil.disk_usage("/")
    return os.cpu_count(), os.getloadavg()[0], disk.used / disk.total


with Fleet("web[1-2]") as fleet:
    for host, (cores, load, full) in fleet.each(health).items():
        print(f"{host}: {cores} cores, load {load:.2f}, disk {full:.0%} full")
