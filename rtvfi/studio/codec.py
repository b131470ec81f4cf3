"""Converts pictures and masks from and to PNG and JPEG in memory, with OpenCV."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

import cv2
import numpy as np

from rtvfi.core.errors import OpenError, UsageError
from rtvfi.core.options import MAX_PIXELS

if TYPE_CHECKING:
    from cv2.typing import MatLike
    from numpy.typing import NDArray

    Rgb = NDArray[np.float32]
    Mask = NDArray[np.bool_]

Number = TypeVar("Number", np.uint8, np.float32)
_TAKEN = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH


def picture_of(data: bytes, name: str) -> Rgb:
    """Decode a picture file.

    Args:
        data: the file's content.
        name: its name, for error messages.

    Returns:
        (H, W, 3), RGB, float32, [0, 1].

    Raises:
        OpenError: OpenCV cannot read it, or it is too large.
    """
    codes = _decoded(data, _TAKEN)
    if codes is None or codes.dtype not in (np.uint8, np.uint16):
        raise OpenError(f'"{name}" cannot be read as a picture')
    if codes.shape[0] * codes.shape[1] > MAX_PIXELS:
        raise OpenError(f'"{name}" is too large: {codes.shape[1]}x{codes.shape[0]}')
    top = np.float32(255 if codes.dtype == np.uint8 else 65535)
    rgb: Rgb = codes[..., ::-1].astype(np.float32) / top
    return rgb


def mask_of(data: bytes, size: tuple[int, int]) -> Mask:
    """Decode a mask.

    Args:
        data: a grey PNG file.
        size: (height, width) that the mask must have.

    Returns:
        (H, W), True where the picture is light.

    Raises:
        UsageError: it is not a picture, or has another size.
    """
    codes = _decoded(data, cv2.IMREAD_GRAYSCALE)
    if codes is None:
        raise UsageError("a mask cannot be read as a picture")
    if codes.shape != size:
        raise UsageError(
            f"a mask is {codes.shape[1]}x{codes.shape[0]}, expected {size[1]}x{size[0]}"
        )
    light: Mask = codes > 127
    return light


def _decoded(data: bytes, how: int) -> MatLike | None:
    """The picture decoded by OpenCV; None if the data is not a picture."""
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), how) if data else None
    except cv2.error:
        return None


def bytes_of(rgb: Rgb) -> NDArray[np.uint8]:
    """A picture, (H, W, 3), [0, 1], rounded to 8-bit codes."""
    return np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8)


def png_of(codes: NDArray[np.uint8]) -> bytes:
    """A PNG file of (H, W) or RGB (H, W, 3) codes."""
    return _encoded(".png", codes)


def jpeg_of(codes: NDArray[np.uint8]) -> bytes:
    """A JPEG file of RGB (H, W, 3) codes."""
    return _encoded(".jpg", codes)


def _encoded(ending: str, codes: NDArray[np.uint8]) -> bytes:
    shown = codes[..., ::-1] if codes.ndim == 3 else codes
    return bytes(cv2.imencode(ending, np.ascontiguousarray(shown))[1])


def fitted(picture: NDArray[Number], longest: int) -> NDArray[Number]:
    """The picture, scaled down if a side is longer than ``longest`` pixels."""
    height, width = picture.shape[:2]
    share = min(1.0, longest / max(height, width))
    size = max(1, round(width * share)), max(1, round(height * share))
    if size == (width, height):
        return picture
    smaller = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return cast("NDArray[Number]", smaller)  # OpenCV keeps the type, and does not say so


def fitted_mask(mask: Mask, longest: int) -> Mask:
    """A mask, scaled down like its picture by ``fitted``."""
    covered: Mask = fitted(mask.astype(np.float32), longest) > 0.5
    return covered
