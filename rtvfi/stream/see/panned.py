"""Finds the cadence of a drawing on a panned picture.

When the camera pans on ones over a figure on twos, all its tiles change in every frame. Compared
with the previous frame shifted by the picture's own motion, they change little while the drawing is
held, and much when it is replaced. A difference that rises and falls periodically is a drawing.
"""

from __future__ import annotations

from collections import deque
from math import ceil
from statistics import median_low
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Spectrum = NDArray[np.complex64 | np.complex128]

_TILE: Final = 8
_RISE: Final = 2.0
"""A tile moved if its difference is at least this many times the smallest of the last frames, ...
"""
_FLOOR: Final = 1.0
"""... and exceeds that by this many codes, mean of its pixels."""
_MEMORY: Final = 4
"""Number of last frames, the longest cadence: in at least one of them a drawing is held."""
_MOTIONS: Final = 12
"""Number of frames whose motion is averaged."""
_SAMPLED_ALIKE: Final = (1 / 2, 1 / 3, 2 / 3)
_NEAR: Final = 0.08
_AT_REST: Final = 0.2
"""Pixels per frame. A pan of a half or a third of a pixel per frame looks like a cadence, because
in every second or third frame the pixels sample the picture in the same way.
"""


class Panned:
    """Finds which tiles move against a picture that moves as a whole; one object per pan."""

    def __init__(self) -> None:
        self._last: Floats | None = None
        self._spectrum: Spectrum | None = None
        self._window: Floats | None = None
        self._differences: deque[Floats] = deque(maxlen=_MEMORY)
        self._motions: deque[tuple[float, float]] = deque(maxlen=_MOTIONS)

    @property
    def is_sampled_alike(self) -> bool:
        """Whether the speed of the pan alone may look like a cadence."""
        if not self._motions:
            return False
        # In frames with a new drawing, the measured motion may be that of the drawing.
        speeds = [median_low(map(abs, along)) for along in zip(*self._motions, strict=True)]
        return any(
            speed > _AT_REST and abs(speed % 1 - share) < _NEAR
            for speed in speeds
            for share in _SAMPLED_ALIKE
        )

    def push(self, fine: Floats) -> NDArray[np.bool_] | None:
        """Take the next frame.

        Args:
            fine: its fine luma picture, (H, W), 8-bit codes; the size must not change.

        Returns:
            (tiles,) bool, row by row: whether a tile moved against the rest; None for the first
            frame.
        """
        if self._window is None:
            rows, columns = fine.shape
            window = np.outer(np.hanning(rows), np.hanning(columns))
            self._window = window.astype(np.float32)
        spectrum = np.fft.rfft2((fine - fine.mean()) * self._window)
        last, before = self._last, self._spectrum
        self._last, self._spectrum = fine, spectrum
        if last is None or before is None:
            return None
        motion = _motion(before, spectrum, fine.shape)
        self._motions.append(motion)
        apart = np.abs(_moved(last, *motion) - fine)
        for lines, distance in zip((apart, apart.T), motion, strict=True):
            # The part that the pan uncovers was in no earlier frame.
            new = ceil(abs(distance))
            lines[:new] *= distance <= 0
            lines[len(lines) - new :] *= distance >= 0
        apart = _tile_means(apart)
        self._differences.append(apart)
        is_moving: NDArray[np.bool_] = apart > _RISE * np.min(self._differences, axis=0) + _FLOOR
        return is_moving


def _motion(a: Spectrum, b: Spectrum, shape: tuple[int, ...]) -> tuple[float, float]:
    """(rows, columns) by which the picture with spectrum ``a`` moved to become that with ``b``: the
    peak of their phase correlation, refined by a parabola to fractions of a pixel.
    """
    cross = b * np.conj(a)
    size = np.abs(cross)
    surface = np.fft.irfft2(cross / (size + 1e-3 * size.max() + 1e-9), shape)
    peak = np.unravel_index(surface.argmax(), shape)
    found = []
    for axis, length in enumerate(shape):
        at = int(peak[axis])
        line = np.moveaxis(surface, axis, 0)[:, peak[1 - axis]]
        left, top, right = line[at - 1], line[at], line[(at + 1) % length]
        bend = float(left - 2 * top + right)
        place = at + (float(left - right) / (2 * bend) if bend else 0.0)
        found.append(place if place <= length / 2 else place - length)
    return found[0], found[1]


def _moved(picture: Floats, rows: float, columns: float) -> Floats:
    """A picture shifted down and to the right, pixels; borders repeat."""
    for axis, distance in enumerate((rows, columns)):
        length = picture.shape[axis]
        whole = int(np.floor(-distance))
        part = np.float32(-distance - whole)
        places = np.arange(length) + whole
        near = picture.take(places.clip(0, length - 1), axis)
        far = picture.take((places + 1).clip(0, length - 1), axis)
        picture = (near + (far - near) * part).astype(np.float32, copy=False)
    return picture


def _tile_means(apart: Floats) -> Floats:
    rows = np.add.reduceat(apart, np.arange(0, apart.shape[0], _TILE), axis=0)
    sums = np.add.reduceat(rows, np.arange(0, apart.shape[1], _TILE), axis=1)
    means: Floats = (sums / (_TILE * _TILE)).astype(np.float32).ravel()
    return means
