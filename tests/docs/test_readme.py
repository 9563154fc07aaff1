"""The README does what it says. (README.zh-CN.md has the same programs: `test_chinese`.)"""

from __future__ import annotations

import pytest

from tests.docs.blocks import ROOT, play
from tests.require import require

pytestmark = pytest.mark.slow


@pytest.mark.bound(300)
@pytest.mark.parametrize("name", ["README.md"])
def test_its_programs_run_as_they_stand(name, tmp_path, hosts):
    require(module="distributed", install="pip install 'elsewhere[dask]'")
    require(module="uvicorn", install="pip install 'elsewhere[http]'")
    play(ROOT / name, tmp_path, home=hosts)
