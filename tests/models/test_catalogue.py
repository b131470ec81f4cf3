"""Which network stands in for which."""

from __future__ import annotations

import pytest

from rtvfi.models.catalogue import MODELS, lighter, stand_ins


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


@pytest.mark.parametrize("model", ["gmfss-union", "gmfss", "gimm"])
@pytest.mark.parametrize(
    ("here", "wanted"),
    [
        ({"rife-4.25", "rife-4.6", "cel"}, ["rife-4.25", "cel"]),
        ({"rife-4.6", "drba", "cel"}, ["rife-4.6", "cel"]),
        ({"cel"}, ["cel"]),
        (set(), []),
    ],
)
def test_a_network_for_rendering_steps_down_to_rife_and_to_what_comes_with_rtvfi(
    model: str, here: set[str], wanted: list[str]
) -> None:
    assert [row.id for row in stand_ins(model, lambda row: row.id in here)] == wanted


def test_a_network_for_playing_steps_down_to_one_lighter_of_its_kind() -> None:
    assert [row.id for row in stand_ins("drba", lambda _: True)] == ["distil-drba-v2-lite"]
    assert stand_ins("cel", lambda _: True) == []
