"""Drawings on a panned picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from rtvfi.stream.see.changes import Changes, differences
from rtvfi.stream.see.panned import Panned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

HEIGHT: Final = 90
WIDTH: Final = 160
FINER: Final = 4
"""Pixels of the film per pixel of the pictures."""


def smooth(shape: tuple[int, int], seed: int) -> Floats:
    """A painted picture of that many pixels of the film."""
    rng = np.random.default_rng(seed)
    made = np.zeros(shape, np.float32)
    for size, strength in ((64, 40.0), (24, 25.0), (10, 12.0)):
        coarse = rng.standard_normal((shape[0] // size + 2, shape[1] // size + 2))
        rows, columns = np.arange(shape[0]) / size, np.arange(shape[1]) / size
        y, x = rows.astype(int), columns.astype(int)
        down, right = (rows - y)[:, None], columns - x
        top = coarse[y][:, x] * (1 - right) + coarse[y][:, x + 1] * right
        low = coarse[y + 1][:, x] * (1 - right) + coarse[y + 1][:, x + 1] * right
        made += (strength * (top * (1 - down) + low * down)).astype(np.float32)
    return made + 128


def film(
    speed: int, hold: int | None, num_frames: int = 60, grain: float = 0.3
) -> Iterator[Floats]:
    """A picture panned by ``speed`` pixels of the film a frame, with a figure drawn on ``hold``."""
    height, width = HEIGHT * FINER, WIDTH * FINER
    wide = smooth((height, width + speed * num_frames), 1)
    figure = smooth((200, 140), 2)
    rng = np.random.default_rng(3)
    for n in range(num_frames):
        painted = wide[:, speed * n : speed * n + width].copy()
        if hold is not None:
            drawing = n // hold * hold
            y = int(80 + 14 * np.sin(drawing / 4))
            x = int(width * 0.4 + 18 * np.cos(drawing / 4) - speed * (n - num_frames / 2))
            left = max(x, 0)
            right = max(left, min(x + 140, width))
            painted[y : y + 200, left:right] = figure[:, left - x : right - x]
        means = painted.reshape(HEIGHT, FINER, WIDTH, FINER).mean((1, 3))
        yield (means + 0.3 * rng.standard_normal(means.shape)).astype(np.float32)


def cadences(frames: Iterator[Floats]) -> set[int | None]:
    """What is found once enough was seen."""
    changes = Changes()
    found, before = [], None
    for frame in frames:
        found.append(changes.push(frame))
        if before is not None:
            assert (differences(before, frame) > changes.floor).mean() > 0.5
        before = frame
    return {max(change.cadence or 1, change.drawn or 1) for change in found[30:50]}


@pytest.mark.parametrize("speed", [3, 5, 9])
@pytest.mark.parametrize("hold", [2, 3])
def test_a_figure_that_is_panned_over_has_its_cadence(speed: int, hold: int) -> None:
    assert cadences(film(speed, hold)) == {hold}


@pytest.mark.parametrize("speed", [3, 4, 5, 9, 11])
@pytest.mark.parametrize("hold", [None, 1])
def test_a_pan_alone_and_figures_on_ones_are_on_ones(speed: int, hold: int | None) -> None:
    assert cadences(film(speed, hold)) == {1}


def test_what_a_pan_uncovers_has_no_cadence() -> None:
    """New columns of a painted grid come in every third frame."""
    changes = Changes()
    cells = np.random.default_rng(4).uniform(60, 200, (HEIGHT // 9, 60))
    wide = np.kron(cells, np.ones((9, 9))).astype(np.float32)
    found = [changes.push(wide[:, 3 * n : 3 * n + WIDTH]).cadence for n in range(60)]
    assert set(found[30:]) == {1}


@pytest.mark.parametrize(("speed", "is_alike"), [(2, True), (6, True), (3, False), (4, False)])
def test_pans_by_half_a_pixel_prove_nothing(speed: int, is_alike: bool) -> None:
    panned = Panned()
    for frame in film(speed, None, 20):
        panned.push(frame)
    assert panned.is_sampled_alike is is_alike


def test_what_moves_with_the_picture_does_not_move_and_what_moves_in_it_does() -> None:
    panned = Panned()
    moved = [panned.push(frame) for frame in film(3, 12, 30)]
    assert moved[0] is None
    shares = [float(m.mean()) for m in moved[6:] if m is not None]
    assert set(np.argsort(shares)[-2:] + 6) == {12, 24}
