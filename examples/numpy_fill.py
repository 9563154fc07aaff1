"""A NumPy array that every core fills, in one piece of memory, without copies. See docs/examples.md."""

import numpy as np

import elsewhere

SIZE = 1000
picture = elsewhere.shared.zeros((SIZE, SIZE), dtype="u1")


def fill(row):
    """How many steps each point of one row of the Mandelbrot set takes to leave."""
    points = np.linspace(-2, 0.5, SIZE) + 1j * (row / SIZE * 2.4 - 1.2)
    values = np.zeros_like(points)
    for _ in range(250):
        inside = np.abs(values) <= 2
        values[inside] = values[inside] ** 2 + points[inside]
        picture[row] += inside


elsewhere.map(fill, range(SIZE), progress=True)
print(f"{(picture == 250).mean():.3f} of the points stay")
