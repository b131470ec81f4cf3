"""Which network stands in for which."""

from __future__ import annotations

import pytest

from rtvfi.models.catalogue import MODELS, lighter


def test_a_lighter_network_takes_the_same_pictures_and_half_the_work() -> None:
    for row in MODELS.values():
        for other in lighter(row.id):
            assert (other.picture, other.num_frames) == (row.picture, row.num_frames)
            assert other.gmac_1080p is not None
            assert row.gmac_1080p is not None
            assert 0 < other.gmac_1080p <= row.gmac_1080p / 2


@pytest.mark.parametrize(
    ("model", "best"),
    [("rife-4.0", "rife-4.25.lite"), ("drba", "distil-drba-v2-lite"), ("cel", None)],
)
def test_the_best_of_the_lighter_ones_comes_first(model: str, best: str | None) -> None:
    found = lighter(model)
    assert (found[0].id if found else None) == best
