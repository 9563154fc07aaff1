"""Classes of an own module, which imports nothing that a bare Python has not."""

import dataclasses
import enum


class Colour(enum.Enum):
    RED = 1
    BLUE = "b"


@dataclasses.dataclass(frozen=True)
class Point:
    x: object
    y: object = None
