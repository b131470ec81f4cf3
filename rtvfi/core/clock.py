"""Times as people write them: seconds (``90``, ``1.5``), or ``[[h:]m:]s`` (``1:02:03``)."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

PATTERN: Final = r"(?:\d+:){0,2}\d+(?:\.\d+)?"
"""A time without a sign, as a regular expression."""


def seconds_of(text: str) -> Fraction | None:
    """Parse a time to seconds; None when ``text`` is not a time."""
    if not re.fullmatch(PATTERN, text, re.ASCII):
        return None
    total = Fraction(0)
    for part in text.split(":"):
        total = total * 60 + Fraction(part)
    return total


def clock(seconds: float) -> str:
    """Format seconds as ``m:ss``, or ``h:mm:ss`` from one hour on; rounded to whole seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
