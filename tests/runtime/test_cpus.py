"""The count of CPUs, on made-up machines."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from elsewhere.runtime import cpus

V2 = "30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
V1 = "34 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
V1_CONTAINER = "34 31 0:29 /docker/1f /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n"
V1_CPUSET = "33 31 0:28 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"

MACHINES = [
    pytest.param("0::/a/b\n", V2, {"sys/fs/cgroup/a/b/cpu.max": "150000 100000\n"}, 1.5, id="v2"),
    pytest.param("0::/a/b\n", V2, {"sys/fs/cgroup/a/cpu.max": "200000 100000"}, 2.0, id="v2, a parent's"),
    pytest.param(
        "0::/a/b\n",
        V2,
        {"sys/fs/cgroup/a/b/cpu.max": "400000 100000", "sys/fs/cgroup/a/cpu.max": "50000 100000"},
        0.5,
        id="v2, the smallest",
    ),
    pytest.param("0::/\n", V2, {"sys/fs/cgroup/cpu.max": "300000 100000"}, 3.0, id="v2, in a container"),
    pytest.param("0::/../x\n", V2, {"sys/fs/cgroup/cpu.max": "300000 100000"}, 3.0, id="v2, a cgroup out of sight"),
    pytest.param("0::/a\n", V2, {"sys/fs/cgroup/a/cpu.max": "max 100000"}, None, id="v2, no limit"),
    pytest.param("0::/a\n", V2, {"sys/fs/cgroup/a/cpu.max": "what is this"}, None, id="v2, unreadable"),
    pytest.param(
        "4:cpu,cpuacct:/g\n",
        V1,
        {
            "sys/fs/cgroup/cpu,cpuacct/g/cpu.cfs_quota_us": "250000\n",
            "sys/fs/cgroup/cpu,cpuacct/g/cpu.cfs_period_us": "100000\n",
        },
        2.5,
        id="v1",
    ),
    pytest.param(
        "4:cpu:/docker/1f\n0::/\n",
        V1_CONTAINER,
        {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "100000", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "50000"},
        2.0,
        id="v1, in a container",
    ),
    pytest.param(
        "4:cpu:/\n",
        V1,
        {
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
        },
        None,
        id="v1, no limit",
    ),
    pytest.param(
        "5:cpuset:/g\n",
        V1_CPUSET,
        {"sys/fs/cgroup/cpuset/g/cpu.max": "100000 100000"},
        None,
        id="v1, cpuset is no quota",
    ),
    pytest.param("", "", {}, None, id="no cgroups"),
    pytest.param("nonsense\n:\n", "nonsense\n - \n", {}, None, id="nonsense"),
]


@pytest.mark.parametrize(("cgroup", "mountinfo", "files", "expected"), MACHINES)
def test_quota(tmp_path: Path, cgroup: str, mountinfo: str, files: dict[str, str], expected: float | None) -> None:
    for name, text in {"proc/self/cgroup": cgroup, "proc/self/mountinfo": mountinfo, **files}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert cpus.quota(tmp_path) == expected


@pytest.mark.parametrize(
    ("affinity", "limit", "expected"), [(8, None, 8), (8, 2.5, 3), (2, 6.0, 2), (4, 0.1, 1), (1, None, 1)]
)
def test_the_smaller_one_counts(
    monkeypatch: pytest.MonkeyPatch, affinity: int, limit: float | None, expected: int
) -> None:
    monkeypatch.setattr(cpus, "_affinity", lambda: affinity)
    monkeypatch.setattr(cpus, "_asked", lambda: None)
    monkeypatch.setattr(cpus, "quota", lambda root: limit)
    assert cpus.available() == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="affinity is Linux's")
def test_affinity_of_the_process() -> None:
    code = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]); from elsewhere.runtime import cpus"
    result = subprocess.run(
        [sys.executable, "-c", f"{code}; print(cpus.available())"], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "1"


@pytest.mark.skipif(sys.version_info < (3, 13), reason="-X cpu_count is new in 3.13")
def test_what_python_was_told() -> None:
    code = "from elsewhere.runtime import cpus; print(cpus.available())"
    result = subprocess.run(
        [sys.executable, "-X", "cpu_count=7", "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "7"
