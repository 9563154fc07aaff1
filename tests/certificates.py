"""Certificates for tests, made by the openssl program.

Use it in a conftest: `from tests.certificates import certificates`, a fixture that gives, once for a run, the files of
two authorities that know nothing of each other::

    certificates.authority / .stranger            what to give as TLS(ca=...)
    certificates.server / .client                 for localhost, 127.0.0.1 and ::1; certificate and key in one file
    certificates.expired / .elsewhere / .foreign  over since 2021; for other.example only; by the stranger
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.require import require

HERE = "DNS:localhost,IP:127.0.0.1,IP:::1"
SETTINGS = """[ca]
default_ca = this
[this]
dir = {folder}
database = {folder}/index
new_certs_dir = {folder}
serial = {folder}/serial
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
"""
KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


class Certificates(NamedTuple):
    """Paths of PEM files; see the module."""

    authority: Path
    stranger: Path
    server: Path
    client: Path
    expired: Path
    elsewhere: Path
    foreign: Path


class Authority:
    """Signs what it is asked to."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.openssl = require(program="openssl", install="apt install openssl")
        folder.mkdir()
        (folder / "settings").write_text(SETTINGS.format(folder=folder))
        (folder / "index").touch()
        (folder / "serial").write_text("01\n")
        self.file = folder / "authority.pem"
        usage = "keyUsage=critical,keyCertSign,cRLSign"
        key, out = folder / "authority.key", self.file
        self._run(
            "req", "-x509", *KEY, "-keyout", key, "-out", out, "-subj", f"/CN={name}", "-days", 2, "-addext", usage
        )

    def certificate(self, name: str, hosts: str = HERE, start: str = "20200101000000Z", end: str = "") -> Path:
        """A file with a certificate and its key."""
        key, request, out = (self.folder / f"{name}.{kind}" for kind in ("key", "request", "crt"))
        names = f"subjectAltName={hosts}"
        self._run("req", "-new", *KEY, "-keyout", key, "-out", request, "-subj", f"/CN={name}", "-addext", names)
        signing = ["-keyfile", self.folder / "authority.key", "-cert", self.file, "-startdate", start]
        signing += ["-enddate", end] if end else ["-days", 2]
        self._run("ca", "-config", self.folder / "settings", "-batch", "-notext", "-in", request, "-out", out, *signing)
        both = self.folder / f"{name}.pem"
        both.write_text(out.read_text() + key.read_text())
        return both

    def _run(self, *words: object) -> None:
        subprocess.run([self.openssl, *map(str, words)], check=True, capture_output=True)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    known, stranger = Authority(folder / "known", "known"), Authority(folder / "stranger", "stranger")
    return Certificates(
        authority=known.file,
        stranger=stranger.file,
        server=known.certificate("server"),
        client=known.certificate("client"),
        expired=known.certificate("expired", end="20210101000000Z"),
        elsewhere=known.certificate("elsewhere", hosts="DNS:other.example"),
        foreign=stranger.certificate("foreign"),
    )
