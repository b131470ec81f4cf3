"""Shapes have the distances and the coverage they promise."""

from __future__ import annotations

from math import pi
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from rtvfi.draw import paint

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rtvfi.draw.paint import Shape

WHITE = (1.0, 1.0, 1.0)
SQUARE = [(10.0, 10.0), (30.0, 10.0), (30.0, 30.0), (10.0, 30.0)]


def painted(shape: Shape, **options: Any) -> NDArray[np.float32]:
    canvas = paint.Canvas(40, 40)
    canvas.fill(shape, WHITE, **options)
    return canvas.pixels


def at(shape: Shape, x: float, y: float) -> float:
    return float(shape.distance(np.array([[x]], np.float32), np.array([[y]], np.float32))[0, 0])


@pytest.mark.parametrize(
    ("shape", "area"),
    [
        (paint.polygon(SQUARE), 400),
        (paint.ellipse((20, 20), 12, 12), pi * 144),
        (paint.ellipse((20, 20), 14, 7, 0.6), pi * 98),
        (paint.bone((12, 20), (28, 20), 5, 5), 160 + pi * 25),
        (paint.limb([(12, 12), (12, 28), (28, 28)], [3, 3, 3]), 6 * 32 - 9 + pi * 9 * 1.25),
    ],
)
def test_coverage_is_the_area(shape: Shape, area: float) -> None:
    assert painted(shape)[..., 3].sum() == pytest.approx(area, rel=0.02)


def test_distances_are_pixels_positive_inside() -> None:
    square, bar = paint.polygon(SQUARE), paint.bone((10, 10), (10, 30), 4, 4)
    assert at(square, 20, 12) == pytest.approx(2)
    assert at(square, 20, 5) == pytest.approx(-5)
    assert at(square, 7, 6) == pytest.approx(-5)
    assert at(bar, 10, 20) == pytest.approx(4)
    assert at(bar, 16, 20) == pytest.approx(-2)


def test_shapes_are_joined_cut_and_moved() -> None:
    left, right = paint.ellipse((15, 20), 8, 8), paint.ellipse((25, 20), 8, 8)
    assert at(left | right, 30, 20) > 0 > at(left & right, 30, 20)
    assert at(left & right, 20, 20) > 0 > at(left - right, 20, 20)
    assert at(left.moved(10, 0), 30, 20) == pytest.approx(at(right, 30, 20))


def test_an_edge_between_pixels_is_half_covered() -> None:
    half = painted(paint.polygon([(10.5, 10), (30.5, 10), (30.5, 30), (10.5, 30)]))
    assert half[20, 10, 3] == pytest.approx(0.5)
    assert (half[20, 11, 3], half[20, 9, 3]) == (1.0, 0.0)


def test_a_shape_outside_the_canvas_paints_nothing() -> None:
    assert not painted(paint.ellipse((-50, -50), 10, 10)).any()


def test_a_smooth_line_passes_its_points_and_keeps_corners() -> None:
    line = paint.bend([*SQUARE, SQUARE[-1]], 4)
    assert all(any(np.allclose(p, q) for q in line) for p in SQUARE)
    assert len(line) == 16
    assert at(paint.blob(SQUARE), 20, 8) > 0 > at(paint.polygon(SQUARE), 20, 8)


def test_an_open_line_ends_at_its_ends() -> None:
    line = paint.bend([(0, 0), (5, 5), (9, 0)], 3, closed=False)
    assert (line[0], line[-1], len(line)) == ((0, 0), (9, 0), 7)
    assert at(paint.ribbon([(5, 20), (20, 20), (35, 20)], [4, 2, 4]), 20, 20) == pytest.approx(
        2, abs=0.3
    )


def test_a_cel_has_line_light_and_shade() -> None:
    canvas = paint.Canvas(40, 40)
    lit, shade = paint.rgb("ffd45e"), paint.rgb("e8a542")
    paint.cel(
        canvas, paint.ellipse((20, 20), 12, 12), (lit, shade), line=2, depth=5, light=(-0.7, -0.7)
    )
    colours = {"light": (15, 15), "shade": (27, 27), "line": (20, 33)}
    found = {name: canvas.pixels[y, x, :3] for name, (x, y) in colours.items()}
    assert np.allclose(found["light"], lit)
    assert np.allclose(found["shade"], shade)
    assert np.allclose(found["line"], paint.ink(shade), atol=0.02)


def test_noise_repeats_and_is_fixed_by_its_seed() -> None:
    fields = [paint.noise(np.random.default_rng(3), (64, 48), (16, 12), 3) for _ in range(2)]
    assert fields[0].shape == (48, 64)
    assert (fields[0] == fields[1]).all()
    seam, inner = (abs(fields[0][:, a] - fields[0][:, b]).mean() for a, b in ((-1, 0), (0, 1)))
    assert seam < 3 * inner + 0.05


def test_a_ramp_goes_from_stop_to_stop() -> None:
    column = paint.ramp(101, [(0.0, (0, 0, 0)), (1.0, (1.0, 0.5, 0.0))])
    assert column.shape == (101, 1, 3)
    assert np.allclose(column[50, 0], [0.5, 0.25, 0])
