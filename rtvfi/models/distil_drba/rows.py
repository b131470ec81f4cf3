"""The catalogue rows of DistilDRBA."""

from __future__ import annotations

from typing import Final

from rtvfi.models.base import with_weights

PLACE: Final = 60
ROWS: Final = (
    with_weights("distil-drba-v1", "distil_drba", 64, 48.6, num_frames=3),
    with_weights("distil-drba-v2-lite", "distil_drba", 64, 13.2, num_frames=3),
)
