"""docs/text-index.md, done as a reader would do it."""

from __future__ import annotations

import sys

import pytest

from tests.docs.blocks import DOCS, play
from tests.examples.index.helpers import DASK
from tests.require import ROOT, require


@pytest.mark.slow
@pytest.mark.bound(300)
def test_the_page(home, ended, tmp_path):
    require(module="distributed", install=DASK)
    require(module="uvicorn", install="pip install 'elsewhere[http]'")
    here = {"~/elsewhere/": f"{ROOT}/", "/opt/elsewhere/bin/python": sys.executable}
    play(DOCS / "text-index.md", tmp_path, home=home, instead=here)
