"""Structures of ctypes that a script defines: in shared memory, as arguments and as results, by their class's value."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.shared import work

HEAD = """
import ctypes, elsewhere
from ctypes import *

class Point(Structure):
    _fields_ = [("x", c_int), ("y", c_double)]
    unit = "mm"
    def norm(self): return self.x + self.y

class Tight(Structure):
    _pack_ = 1
    _fields_ = [("a", c_char), ("b", c_int), ("bits", c_int, 3)]

class Either(Union):
    _fields_ = [("i", c_int), ("f", c_float)]

class Outer(Structure):
    _anonymous_ = ("either",)
    _fields_ = [("either", Either), ("points", Point * 3), ("point", Point)]

class Big(BigEndianStructure):
    _fields_ = [("n", c_uint32), ("m", c_uint16)]

class Node(Structure): pass
Node._fields_ = [("value", c_int), ("next", POINTER(Node))]

class Sub(Point):
    _fields_ = [("z", c_int)]

class Three(Array):
    _type_, _length_ = c_int, 3

class Number(c_int):
    def twice(self): return 2 * self.value

class Empty(Structure): pass

CLASSES = Point, Tight, Either, Outer, Big, Node, Sub, Three, Number, Empty, Point * 2, POINTER(Point), Point * 2 * 3

def same(value): return value
def layout(*classes): return [(sizeof(c), alignment(c), [(f[0], getattr(c, f[0]).offset, getattr(c, f[0]).size)
    for f in getattr(c, "_fields_", ())]) for c in classes]

METHOD = "{method}"
"""

SCRIPTS = {
    "by value": """
with elsewhere.get_context(METHOD).Pool(1) as pool:
    assert pool.apply(layout, CLASSES) == layout(*CLASSES)
    point = pool.apply(Point, (3, 4.0))
    assert (type(point), point.x, point.norm(), point.unit) == (Point, 3, 7.0, "mm")
    outer = Outer()
    outer.i, outer.points[1].x, outer.point.y = 5, 7, 1.5
    back = pool.apply(same, (outer,))
    assert type(back) is Outer and (back.i, back.points[1].x, back.point.y) == (5, 7, 1.5)
    assert bytes(pool.apply(same, (Big(1, 2),)))[:6] == bytes([0, 0, 0, 1, 0, 2])
    assert pool.apply(same, (Sub(1, 2.0, 3),)).z == 3
    assert list(pool.apply(same, (Three(1, 2, 3),))) == [1, 2, 3]
    assert pool.apply(Number.twice, (Number(4),)) == 8
    assert pool.apply(same, ((Point * 2)((1, 1), (2, 2)),))[1].x == 2
    assert pool.apply(same, (Tight(b"z", 3, 2),)).bits == 2
    assert [point.norm() for point in pool.map(same, [Point(i, i) for i in range(5)])] == [0, 2, 4, 6, 8]
    assert pool.apply(lambda: Node(3, pointer(Node(4))).next.contents.value) == 4
    assert pool.apply(lambda cls: cls is Point * 2, (Point * 2,))
    assert pool.apply(same, (Outer,)) is Outer
    try:
        pool.apply(same, (Node(),))
    except ValueError as error:
        assert "pointers cannot be pickled" in str(error)
    else:
        raise AssertionError("a pointer has travelled")
    Point.norm = lambda self: -1  # what changes later arrives, and what is laid out stays
    assert pool.apply(lambda point: (point.norm(), point.x), (Point(1, 1),)) == (-1, 1)
""",
    "shared": """
def move(value):
    with value.get_lock():
        value.x += 5
        value.y = 2.5
    return value.get_obj().norm()
def double(points):
    for point in points: point.x *= 2
    return len(points)
with elsewhere.get_context(METHOD).Pool(1) as pool:
    value = elsewhere.Value(Point, 1, 2.0)
    assert pool.apply(move, (value,)) == 8.5 and (value.x, value.y) == (6, 2.5)
    points = elsewhere.Array(Point, [(1, 1.0), (2, 2.0)])
    assert pool.apply(double, (points,)) == 2 and [point.x for point in points] == [2, 4]
    raw = elsewhere.RawArray(Point, 3)
    raw[0].x = 4
    assert pool.apply(double, (raw,)) == 3 and raw[0].x == 8
    outer = elsewhere.RawValue(Outer)
    outer.points[2].x = 1
    def deep(outer): outer.points[2].x += 1; outer.f = 0.5
    pool.apply(deep, (outer,))
    assert (outer.points[2].x, outer.f) == (2, 0.5)
process = elsewhere.get_context(METHOD).Process(target=move, args=(value,))
process.start()
assert process.result(30) == 13.5 and value.x == 11
process.join()
""",
    "made in a worker": """
def make():
    class Here(Structure):
        _fields_ = [("points", Point * 2), ("n", c_int)]
        def total(self): return self.n + self.points[1].x
    return Here(((1, 1), (2, 2)), 3)
with elsewhere.get_context(METHOD).Pool(1) as pool:
    made = pool.apply(make)
    assert made.total() == 5 and type(made.points[0]) is Point
    made.n = 4
    assert pool.apply(same, (made,)).total() == 6
""",
}


@pytest.mark.parametrize("method", work.METHODS)
@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_structures_of_a_script(script, method, tmp_path):
    path = tmp_path / "script.py"  # without a guard
    path.write_text(HEAD.replace("{method}", method) + script + "\nprint('done')\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, path], env=environment, capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.stdout, done.stderr) == ("done\n", "")
