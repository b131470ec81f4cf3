"""What callers must know of SAFA before they have its weights."""

from __future__ import annotations

from typing import Final

ENHANCERS: Final = ("safa",)
"""Networks that restore pictures and make none between them, by the names of their weights."""
PLACE: Final = 100
ROWS: Final = ()
"""None to interpolate with."""
