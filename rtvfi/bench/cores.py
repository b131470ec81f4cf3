"""Estimates how many cores are enough, from measurements with several numbers of threads. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST: Final = 64
"""Estimates of more cores than this are not given."""


def thread_counts(num_cores: int) -> list[int]:
    """The numbers of threads to measure: 1, 2, 4, ... up to ``num_cores``, and ``num_cores``."""
    powers = [1 << k for k in range(num_cores.bit_length())]
    return sorted({*powers, num_cores})


def cores_needed(shares: Mapping[int, float], most: float) -> int | None:
    """The smallest number of threads with which a second of film takes at most ``most`` seconds.

    Beyond the measured numbers it is estimated with Amdahl's law: one part of the work runs on one
    thread, the rest on all threads.

    Args:
        shares: number of threads -> seconds of computing per second of film; at least one entry.
        most: seconds of computing per second of film.

    Returns:
        None if no number is enough, or more than ``MOST`` would be needed.
    """
    held = [count for count, share in shares.items() if share <= most]
    if held:
        return min(held)
    few, many = min(shares), max(shares)
    if few == many:
        return None
    spread = max(0.0, (shares[few] - shares[many]) / (1 / few - 1 / many))
    alone = shares[few] - spread / few
    if alone >= most:
        return None
    count = math.ceil(spread / (most - alone))
    return count if count <= MOST else None
