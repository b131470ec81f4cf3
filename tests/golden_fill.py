"""Deterministic weights and pictures behind the reference numbers of the networks.

Everything is built from raw 64-bit words of PCG64 and + - * / in float64, so the same bytes come
out on every platform. Changing a number here means making every reference number anew.
"""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Doubles = NDArray[np.float64]

NOISE_CELLS = 16
"""Rows and columns of a noise grid, after which it repeats."""


def uniform(name: str, shape: Sequence[int], seed: int = 0) -> Doubles:
    """Numbers in [0, 1) that depend on name, seed and how many there are."""
    bits = np.random.PCG64([seed, zlib.crc32(name.encode())])
    words = np.asarray(bits.random_raw(int(np.prod(shape))), dtype=np.uint64).reshape(shape)
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


# --- weights ---------------------------------------------------------------------------------


def fill(
    shapes: Mapping[str, Sequence[int]], seed: int = 0, flow_gain: float = 1.0
) -> dict[str, Floats]:
    """Parameters of these shapes; motions come out ``flow_gain`` times as long."""
    return {key: fill_one(key, shape, seed, flow_gain) for key, shape in shapes.items()}


def fill_one(key: str, shape: Sequence[int], seed: int = 0, flow_gain: float = 1.0) -> Floats:
    """One parameter, of a size that keeps numbers alive through a deep network."""
    u = uniform(key, shape, seed)
    even = (2.0 * u - 1.0) * 3.0**0.5  # mean 0, variance 1
    leaf = key.rsplit(".", 1)[-1]
    is_tail = "lastconv" in key
    if leaf == "beta":
        out = 0.2 + 0.3 * u
    elif leaf == "bias":
        out = 0.1 * even * (flow_gain if is_tail else 1.0)
    elif len(shape) == 1:  # slopes
        out = 0.1 + 0.3 * u
    elif len(shape) == 4 and shape[2] == 4:
        out = _transposed(even, is_tail, flow_gain)
    else:
        out = _convolution(key, even)
    return np.ascontiguousarray(out, dtype=np.float32)


def _transposed(even: Doubles, is_tail: bool, flow_gain: float) -> Doubles:
    """A transposed convolution: 2 x 2 of its 4 x 4 taps reach one output pixel."""
    out: Doubles = even / (even.shape[0] * 4) ** 0.5
    if not is_tail:
        return out
    per = 1 if even.shape[1] == 5 else 4  # sub-pixels per channel of the output
    gain = np.ones(even.shape[1])
    gain[: 4 * per] = flow_gain
    gain[4 * per : 5 * per] = 2.5  # mask logit
    gain[5 * per :] = 2.0
    return 0.35 * out * gain[None, :, None, None]


def _convolution(key: str, even: Doubles) -> Doubles:
    fan_in = int(np.prod(even.shape[1:]))
    out: Doubles = even * (2.0 / fan_in) ** 0.5
    if key.endswith("conv0.0.0.weight") or key in ("encode.0.weight", "encode.cnn0.weight"):
        # The picture channels, always first, look at structure rather than at brightness.
        picture = out[:, :6]
        out[:, :6] = 2.0 * (picture - 0.75 * picture.mean(axis=(2, 3), keepdims=True))
        out[:, 6:] *= 1.5
    return out


# --- pictures --------------------------------------------------------------------------------


def make_frames(seed: int, height: int, width: int, n: int = 2) -> Floats:
    """(n, 3, height, width), values k / 255: a drifting background, a faster soft disc over it."""
    u = uniform("motion", (16,), seed)
    ground, disc = (u[0:2] - 0.5) * 6.0, (u[2:4] - 0.5) * 14.0  # pixels per frame, y and x
    cy, cx = height * (0.35 + 0.3 * u[4]), width * (0.35 + 0.3 * u[5])
    radius = 0.28 * min(height, width)
    yy, xx = _positions(height, width)
    out = np.empty((n, 3, height, width))
    for k in range(n):
        s = k + 0.35 * k * (k - 1) / 2.0  # not quite uniform speed
        by, bx = yy - ground[0] * s, xx - ground[1] * s
        fy, fx = yy - disc[0] * s, xx - disc[1] * s
        distance = ((fy - cy) ** 2 + (fx - cx) ** 2) / (radius * radius)
        cover = np.clip((1.15 - distance) / 0.3, 0.0, 1.0)
        for c in range(3):
            grid = {name: uniform(f"{name}{c}", _GRID, seed) for name in ("bg", "bh", "fg", "fh")}
            back = 0.6 * _noise(grid["bg"], by / 13.0, bx / 13.0)
            back = back + 0.4 * _noise(grid["bh"], by / 5.0, bx / 5.0)
            fore = 0.7 * _noise(grid["fg"], fy / 9.0, fx / 9.0)
            fore = fore + 0.3 * _noise(grid["fh"], fy / 4.0, fx / 4.0)
            out[k, c] = back * (1.0 - cover) + fore * cover
    stretched = 0.02 + 0.96 * (out - 0.1) / 0.8
    whole = np.rint(np.clip(stretched, 0.0, 1.0) * 255.0)
    return (whole / 255.0).astype(np.float32)


def make_tmap(seed: int, height: int, width: int) -> Floats:
    """A timestep for every pixel, (1, height, width), about 0.1 to 0.9."""
    return (0.1 + 0.8 * _smooth("tmap", seed, (height, width), 11.0))[None].astype(np.float32)


def make_flow(seed: int, height: int, width: int, most: float = 4.0) -> Floats:
    """A smooth flow (2, height, width), x first, up to ``most`` pixels."""
    field = np.stack([_smooth(f"flow{c}", seed, (height, width), 9.0) for c in range(2)])
    return ((2.0 * field - 1.0) * most).astype(np.float32)


_GRID = (NOISE_CELLS, NOISE_CELLS)


def _positions(height: int, width: int) -> tuple[Doubles, Doubles]:
    yy, xx = np.mgrid[:height, :width].astype(np.float64)
    return yy, xx


def _smooth(name: str, seed: int, size: tuple[int, int], cell: float) -> Doubles:
    yy, xx = _positions(*size)
    return _noise(uniform(name, _GRID, seed), yy / cell, xx / cell)


def _noise(grid: Doubles, y: Doubles, x: Doubles) -> Doubles:
    """A repeating grid of numbers, smoothly interpolated at any positions."""
    y0, x0 = np.floor(y), np.floor(x)
    fy, fx = y - y0, x - x0
    fy = fy * fy * (3.0 - 2.0 * fy)
    fx = fx * fx * (3.0 - 2.0 * fx)
    iy, ix = y0.astype(np.int64) % NOISE_CELLS, x0.astype(np.int64) % NOISE_CELLS
    jy, jx = (iy + 1) % NOISE_CELLS, (ix + 1) % NOISE_CELLS
    top = grid[iy, ix] * (1.0 - fx) + grid[iy, jx] * fx
    bottom = grid[jy, ix] * (1.0 - fx) + grid[jy, jx] * fx
    out: Doubles = top * (1.0 - fy) + bottom * fy
    return out


# --- files -----------------------------------------------------------------------------------


def dequantize(stored: NDArray[np.uint16]) -> Floats:
    """A stored picture: k / 65535."""
    return (stored.astype(np.float64) / 65535.0).astype(np.float32)


def load_rife(path: Path) -> tuple[int, list[dict[str, Any]], dict[str, Any]]:
    """Pad modulus, cases and arrays of a ``rife_v*.npz``."""
    with np.load(path) as file:
        meta = json.loads(str(file["meta"]))
        return meta["pad"], meta["cases"], {key: file[key] for key in file.files if key != "meta"}


def case_inputs(case: Mapping[str, Any]) -> tuple[Floats, Floats, float | Floats]:
    """Both pictures (3, h, w) and the timestep, a number or a map."""
    first, second = make_frames(case["seed"], case["h"], case["w"])
    t = case["t"]
    return first, second, make_tmap(case["seed"], case["h"], case["w"]) if t == "map" else t


def checksum(arrays: Mapping[str, Any]) -> int:
    """CRC-32 over names and numbers (as little-endian float32), names in order."""
    crc = 0
    for key in sorted(arrays):
        crc = zlib.crc32(key.encode(), crc)
        crc = zlib.crc32(np.ascontiguousarray(arrays[key], dtype="<f4").tobytes(), crc)
    return crc
