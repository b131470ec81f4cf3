"""The catalogue rows of GIMM-VFI."""

from __future__ import annotations

from typing import Final

from rtvfi.models.base import with_weights

PLACE: Final = 80
ROWS: Final = tuple(
    with_weights(name, "gimm", 32, 17_840.0, licence="S-Lab 1.0 NC")
    for name in ("gimm", "gimm-base")
)
"""``gimm`` is trained for perceptual quality, ``gimm-base`` for PSNR."""
