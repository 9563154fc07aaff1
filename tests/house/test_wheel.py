"""The package as others get it: built, installed where nothing of the repository is in sight, used and type-checked."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.fleet.sshd import sshd
from tests.require import ROOT, require

pytestmark = [pytest.mark.slow, pytest.mark.bound(300)]

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
# One line for each door. The host's worker is made of the package's own files, so this fails where one is not shipped.
PROGRAM = """\
import sys
import elsewhere
from elsewhere import Host, Pool, Process, Service, connect

print(elsewhere.__file__)
with Pool(2) as pool:
    print(pool.map(lambda number: number * 2, range(3)))
process = Process(target=lambda: 6 * 7)
process.start()
print(process.result())
service = Service()
service.register(lambda n: n * 2, "double")
with service.start("tcp://127.69.0.1:0") as running, connect(running.addresses[0]) as client:
    print(client.double(7))
name, port, user, key, known_hosts = sys.argv[1:]
with Host(name, port=int(port), user=user, keys=key, known_hosts=known_hosts) as host:
    print(host.run("echo there").stdout, end="")
    print(host.call(abs, -3))
"""


class Installed(NamedTuple):
    """A virtual environment that has the wheel.

    Attributes:
        folder: an empty one, to work in.
        python: its interpreter.
        wheel: what was installed.
        source: the archive of sources from which the wheel was built.
    """

    folder: Path
    python: Path
    wheel: Path
    source: Path

    def run(self, *words: str | Path) -> str:
        """Run a program outside of the repository; give what it prints."""
        return _run(self.folder, *words)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Sources, from these the wheel, and it in an environment that has this one's packages, but not this one's us."""
    require(module="hatchling", install="make .venv/.dev")
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(folder / "dist"), "-t"]
    _run(ROOT, *build, "sdist")
    (source,) = (folder / "dist").glob("*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(folder, filter="data")
    _run(folder / f"elsewhere-{VERSION}", *build, "wheel")
    (wheel,) = (folder / "dist").glob("*.whl")
    _run(folder, sys.executable, "-m", "venv", "--without-pip", folder / "env")
    python = folder / "env" / "bin" / "python"
    here = [path for path in sys.path if Path(path).name in {"site-packages", "dist-packages"}]
    there = _run(folder, python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    # Only folders to look in: what their own .pth files say, the editable package among it, does not count there.
    Path(there, "packages_of_the_tests.pth").write_text("".join(f"{path}\n" for path in here))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    _run(folder, *pip, "install", "--quiet", "--no-deps", "--no-index", "--ignore-installed", str(wheel))
    empty = folder / "outside"
    empty.mkdir()
    return Installed(empty, python, wheel, source)


def test_it_holds_the_package_and_nothing_else(installed):
    with zipfile.ZipFile(installed.wheel) as archive:
        names = set(archive.namelist())
    ours = {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src" / "elsewhere").rglob("*") if path.is_file()}
    about = f"elsewhere-{VERSION}.dist-info"
    facts = {f"{about}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")}
    assert names == {name for name in ours if "__pycache__" not in name} | facts
    assert "elsewhere/py.typed" in names


def test_the_sources_hold_what_tests_and_pages_need(installed):
    with tarfile.open(installed.source) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    wanted = [
        "LICENSE",
        "README.md",
        "Makefile",
        "mkdocs.yml",
        "tests/conftest.py",
        "docs/index.md",
        "examples/demo.py",
    ]
    assert [name for name in wanted if name not in names] == []
    junk = re.compile(r"__pycache__|\.pyc$|(^|/)\.(?!gitignore$)|\.venv|\.egg-info|(^|/)(build|dist)/")
    assert [name for name in names if junk.search(name)] == []


def test_its_command_works(installed):
    command = installed.python.parent / "elsewhere"
    assert installed.run(command, "--version").startswith(f"elsewhere {VERSION}, ")
    assert "All that is core works." in installed.run(command, "doctor")


def test_every_door_opens(installed, tmp_path):
    (installed.folder / "program.py").write_text(PROGRAM)
    with sshd(tmp_path, ["127.69.0.2"]) as server:
        way = [server.hosts[0], str(server.port), server.user, str(server.key), str(server.known_hosts)]
        where, *lines = installed.run(installed.python, "program.py", *way).splitlines()
    assert Path(where).is_relative_to(installed.python.parent.parent)
    assert lines == ["[0, 2, 4]", "42", "14", "there", "3"]


def test_mypy_sees_its_types(installed, tmp_path):
    require(module="mypy", install="make .venv/.dev")
    api = _api(installed)
    words = ["--strict", "--config-file=", f"--cache-dir={tmp_path}", "--python-executable", str(installed.python)]
    installed.run(sys.executable, "-m", "mypy", *words, api)


def test_pyright_sees_its_types(installed):
    pyright = ROOT / ".venv-pyright" / "bin" / "pyright"
    if not pyright.exists():  # in CI, too: it comes from a place that may not be reached
        pytest.skip("pyright is missing; install it with: .ci/peers pyright")
    installed.run(pyright, "--pythonpath", installed.python, _api(installed))


def _api(installed: Installed) -> Path:
    """A copy outside of the repository, whose settings do not count for it."""
    api = installed.folder / "api.py"
    api.write_text((ROOT / "tests" / "typing" / "api.py").read_text())
    return api


def _run(folder: Path, *words: str | Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "MYPYPATH"}}
    done = subprocess.run(
        [str(word) for word in words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
