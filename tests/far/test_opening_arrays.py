"""Arrays, dtypes and scalars of NumPy come back as they were."""

import pickle

import numpy as np
import pytest

from elsewhere.errors import RemoteError
from elsewhere.runtime.far.opening import Opening

opening = Opening(lambda token: None, lambda module: False, trust=False)

RECORD = np.dtype([("a", "<i4"), ("b", "S3"), (("title", "c"), "f8", (2,))])
ARRAYS = [
    *[np.arange(3), np.arange(6).reshape(2, 3).T, np.arange(6)[::2], np.asfortranarray(np.ones((2, 3)))],
    *[np.array(3), np.zeros((0, 5)), np.zeros((5, 0), order="F"), np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1)],
    *[np.array([1, 2], ">i4"), np.array([True]), np.array(["ab", "c"]), np.array([b"ab"]), np.array([1j])],
    *[np.array(["2020-01-01"], "M8[D]"), np.array([5], "m8[25s]"), np.array([5], "m8"), np.zeros(3, RECORD)],
    *[np.zeros(2, np.dtype([("a", "i1"), ("b", "i4")], align=True)), np.zeros(2, np.dtype(("i4", (2, 3))))],
    *[
        np.zeros(3, "V5"),
        np.array(["", ""]),
        np.arange(10_000, dtype="f4"),
        np.array([1, 2], np.longdouble),
        np.array([1], np.float16),
    ],
]
SCALARS = [
    *[np.float64(1.5), np.int32(1), np.bool_(True), np.str_("abc"), np.bytes_(b"a"), np.complex64(1j), np.uint8(255)],
    *[np.datetime64("2020-01-01", "ns"), np.timedelta64(5, "D"), np.longdouble(1), np.zeros(1, RECORD)[0]],
]
DTYPES = [
    *map(np.dtype, ["f8", ">f8", "?", "U5", "S0", "V0", "M8[25s]", "m8", "O", "c16"]),
    *[RECORD, np.dtype({"names": ["a"], "formats": ["u1"], "offsets": [3], "itemsize": 9}), np.dtype(("i4", (2, 3)))],
    np.dtype([("a", [("b", "i2"), ("c", "O")])]),
]


@pytest.mark.parametrize("protocol", [4, 5])
@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype} {array.shape}")
def test_arrays(array, protocol):
    data = pickle.dumps(array, protocol)
    back, expected = opening.value(data), pickle.loads(data)
    assert type(back) is np.ndarray
    assert back.dtype == expected.dtype
    assert back.shape == array.shape
    assert back.tobytes() == expected.tobytes()
    assert back.flags.writeable == expected.flags.writeable
    assert back.flags.f_contiguous == expected.flags.f_contiguous


@pytest.mark.parametrize("protocol", [4, 5])
def test_arrays_of_objects(protocol):
    inner = np.array([[1, None], ["x", [2, 3]]], object)
    for array in (inner, np.array(None, object), inner.T, np.array([], object)):
        back = opening.value(pickle.dumps(array, protocol))
        assert back.dtype == object
        assert back.tolist() == array.tolist()
    holder = np.empty(1, object)
    holder[0] = inner
    assert opening.value(pickle.dumps(holder, protocol))[0].tolist() == inner.tolist()


@pytest.mark.parametrize("scalar", SCALARS, ids=repr)
def test_scalars(scalar):
    back = opening.value(pickle.dumps(scalar, 5))
    assert type(back) is type(scalar)
    assert back == scalar


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_dtypes(dtype):
    back = opening.value(pickle.dumps(dtype, 5))
    assert back == dtype
    assert back.fields == dtype.fields
    assert back.isalignedstruct == dtype.isalignedstruct


def test_several_arrays_of_one_dtype():
    one = np.arange(3, dtype=">i2")
    back = opening.value(pickle.dumps({"a": one, "b": [one, one[::2]], "c": np.int16(3)}, 5))
    assert back["a"] is back["b"][0]
    assert back["b"][1].tolist() == [0, 2]


@pytest.mark.parametrize(
    "value",
    [np.zeros(1, [("a", "O")]), np.ma.array([1]), np.dtype("f8", metadata={"a": 1}), np.random.default_rng(0), np.add],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_opened(value):
    with pytest.raises(RemoteError, match="not opened"):
        opening.value(pickle.dumps(value, 5))
