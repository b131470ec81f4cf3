"""Pictures and masks as the browser has them: PNG and JPEG in memory. OpenCV, no files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from rtvfi.core.errors import OpenError, UsageError
from rtvfi.core.options import MAX_PIXELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rgb = NDArray[np.float32]
    Mask = NDArray[np.bool_]

_TAKEN = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH


def picture_of(data: bytes, name: str) -> Rgb:
    """A picture file as (H, W, 3) float32, 0..1.

    Raises:
        OpenError: it is none that OpenCV reads, or too large.
    """
    try:
        codes = cv2.imdecode(np.frombuffer(data, np.uint8), _TAKEN) if data else None
    except cv2.error:
        codes = None
    if codes is None or codes.dtype not in (np.uint8, np.uint16):
        raise OpenError(f'"{name}" cannot be read as a picture')
    if codes.shape[0] * codes.shape[1] > MAX_PIXELS:
        raise OpenError(f'"{name}" is too large: {codes.shape[1]}x{codes.shape[0]}')
    top = np.float32(255 if codes.dtype == np.uint8 else 65535)
    rgb: Rgb = codes[..., ::-1].astype(np.float32) / top
    return rgb


def mask_of(data: bytes, size: tuple[int, int]) -> Mask:
    """A grey picture, (H, W): True where it is light.

    Args:
        data: a PNG file.
        size: rows and columns it must have.

    Raises:
        UsageError: it is none, or of another size.
    """
    try:
        codes = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) if data else None
    except cv2.error:
        codes = None
    if codes is None:
        raise UsageError("a mask is no picture")
    if codes.shape != size:
        raise UsageError(
            f"a mask is {codes.shape[1]}x{codes.shape[0]}, expected {size[1]}x{size[0]}"
        )
    light: Mask = codes > 127
    return light


def bytes_of(rgb: Rgb) -> NDArray[np.uint8]:
    """(H, W, 3) as 8 bits, rounded."""
    return np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8)


def png_of(codes: NDArray[np.uint8]) -> bytes:
    """A PNG file of (H, W) or RGB (H, W, 3) codes."""
    return _encoded(".png", codes)


def jpeg_of(codes: NDArray[np.uint8]) -> bytes:
    """A JPEG file of RGB (H, W, 3) codes, to be looked at."""
    return _encoded(".jpg", codes)


def _encoded(ending: str, codes: NDArray[np.uint8]) -> bytes:
    shown = codes[..., ::-1] if codes.ndim == 3 else codes
    return bytes(cv2.imencode(ending, np.ascontiguousarray(shown))[1])


def fitted(rgb: Rgb, longest: int) -> Rgb:
    """The picture, no side longer than ``longest`` pixels; smaller ones as they are."""
    height, width = rgb.shape[:2]
    size = shrunk((height, width), longest)
    if size == (height, width):
        return rgb
    smaller: Any = cv2.resize(rgb, size[::-1], interpolation=cv2.INTER_AREA)
    return smaller  # type: ignore[no-any-return]  # OpenCV


def fitted_mask(mask: Mask, longest: int) -> Mask:
    """A mask, as ``fitted`` shrinks its picture."""
    size = shrunk((mask.shape[0], mask.shape[1]), longest)
    if size == mask.shape:
        return mask
    grey = cv2.resize(mask.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)
    covered: Mask = grey > 0.5
    return covered


def shrunk(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """A size with no side over ``longest``, of about the same shape."""
    share = min(1.0, longest / max(size))
    return max(1, round(size[0] * share)), max(1, round(size[1] * share))
