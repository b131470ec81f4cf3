"""SAFA in the catalogue: it has no interpolation models."""

from __future__ import annotations

from typing import Final

ENHANCERS: Final = ("safa",)
"""Networks that restore pictures but do not interpolate, by the names of their weights."""
PLACE: Final = 100
ROWS: Final = ()
"""Empty: SAFA has no interpolation models."""
