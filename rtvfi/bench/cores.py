"""How many cores would do, from the times of a few numbers of threads. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST: Final = 64
"""Most cores for which a number is given."""


def thread_counts(num_cores: int) -> list[int]:
    """1, 2, 4, ... as far as there are cores, and all of them."""
    powers = [1 << k for k in range(num_cores.bit_length())]
    return sorted({*powers, num_cores})


def cores_needed(shares: Mapping[int, float], most: float) -> int | None:
    """The least number of threads with which a second of film takes no more than ``most`` seconds.

    Beyond what was measured, one part of the work is taken to be done by one thread alone and the
    rest by all alike.

    Args:
        shares: seconds of work for a second of film by number of threads; at least one.
        most: seconds.

    Returns:
        None where no number would do, or nobody has so many.
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
