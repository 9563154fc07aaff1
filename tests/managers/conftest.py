from __future__ import annotations

import pytest

from elsewhere.shared.managers import Manager


@pytest.fixture(params=["forkserver", "spawn"])
def manager(request):
    with Manager(context=request.param) as manager:
        yield manager
