"""Large arguments and results of a far worker."""

from __future__ import annotations

import pickle

import pytest

from tests.far.driving import Far, named
from tests.require import require


def test_large_arrays_come_back_in_one_piece():
    numpy = require(module="numpy", install="pip install numpy")
    with Far() as far:
        array = numpy.arange(1 << 19, dtype="<f8").reshape(512, -1)
        for form in (array, array.T, array[::2], array.astype("M8[s]"), numpy.array([array, None], dtype=object)):
            back = far.call(named("operator", "pos") if form.dtype == float else named("copy", "copy"), form)
            assert type(back) is numpy.ndarray
            assert back.dtype == form.dtype
            assert back.flags.f_contiguous == form.flags.f_contiguous
            assert pickle.dumps(back) == pickle.dumps(form.copy(order="K"))


@pytest.mark.slow
def test_two_hundred_megabytes_there_and_back():
    data = bytes(range(256)) * 4096 * 200
    with Far() as far:
        assert far.call(named("copy", "copy"), data) == data
