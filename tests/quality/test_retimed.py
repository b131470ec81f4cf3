from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from quality_pictures import scenery
from scipy.ndimage import gaussian_filter

from rtvfi.quality.measure import BEST_PSNR
from rtvfi.quality.methods import ModelMethod, method_of
from rtvfi.quality.retimed import (
    MARGIN,
    KnownScene,
    Moment,
    Passes,
    Shown,
    measure_mixed,
    plan_of,
    score,
    sharpness,
    split,
)
from rtvfi.quality.triplets import Picture
from rtvfi.stream.plan.planner import Mid, PlanOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

NUM = 2 * MARGIN + 4
OUTPUTS = [Fraction(k * 2, 5) for k in range(20, 30)]
"""Frames 8 to 12 at 60 pictures a second."""


def truth(at: Fraction) -> Moment:
    """Scenery that moves by 5 pixels a frame: by 2 from output to output."""
    picture = scenery(round(5 * (at - 10)))
    cadence = np.ones(picture.y.shape, np.int64)
    cadence[:, 48:] = 2
    return Moment(picture, cadence)


def scene() -> KnownScene:
    return KnownScene("one", [truth(Fraction(n)).picture for n in range(NUM)], truth)


@dataclass
class Shows:
    """Shows the truth of ``late`` frames before, softened."""

    name: str
    late: Fraction = Fraction(0)
    soft: float = 0

    def show(self, sources: Sequence[Picture]) -> Shown:
        made = {}
        for at in OUTPUTS:
            picture = truth(at - self.late).picture
            luma = gaussian_filter(picture.y.astype(float), self.soft) if self.soft else picture.y
            made[at] = Picture(luma.astype(np.uint8), picture.uv)
        return Shown(made, 0.02, 0.01)


def test_what_is_on_its_smooth_path_is_perfect() -> None:
    found = measure_mixed([scene()], [Shows("truth")])
    values = found.scores["truth"].values
    assert (values["psnr"], values["ones"], values["twos"]) == (BEST_PSNR,) * 3
    assert (values["line"], values["evenness"], values["sharpness"]) == (0, 0, 1)
    assert (values["ms"], values["cpu_ms"]) == (20, 10)
    assert (found.num_triplets, found.unit) == (len(OUTPUTS), "picture")


def test_what_is_off_its_path_is_uneven_by_that_many_pixels() -> None:
    found = measure_mixed([scene()], [Shows("late", Fraction(4, 5))])
    assert found.scores["late"].values["evenness"] == pytest.approx(4, abs=0.3)


def test_softness_shows_in_sharpness_alone() -> None:
    found = measure_mixed([scene()], [Shows("soft", soft=1)]).scores["soft"].values
    assert found["sharpness"] is not None
    assert found["sharpness"] < 0.9
    assert found["evenness"] == pytest.approx(0, abs=0.3)


def test_each_cadence_has_its_own_pixels() -> None:
    moment = truth(Fraction(10))
    made = moment.picture.y.copy()
    made[:, 48:] ^= 1
    values = score(Picture(made, moment.picture.uv), moment)
    assert values.values["ones"] == BEST_PSNR
    assert values.values["twos"] == pytest.approx(48.13, abs=0.01)
    assert values.values["threes"] is None
    assert values.reasons["threes"] == "nothing is drawn on threes"


def test_the_hardest_moment_is_shown_between_its_frames() -> None:
    found = measure_mixed([scene()], [Shows("late", Fraction(2, 5))])
    assert found.hardest is not None
    assert found.hardest.triplet.id.startswith("one at ")
    at = Fraction(found.hardest.triplet.id.removeprefix("one at "))
    assert np.array_equal(found.hardest.triplet.left.y, truth(Fraction(int(at))).picture.y)


@pytest.mark.parametrize("passes", [0, 1, 3])
def test_all_outputs_inside_the_margins_are_shown(passes: int) -> None:
    linear = method_of("linear", torch.device("cpu"))
    assert isinstance(linear, ModelMethod)
    shown = Passes(linear, passes).show(scene().sources)
    assert sorted(shown.pictures) == OUTPUTS


def test_plain_shows_frames_as_they_are_and_a_pass_their_midpoints() -> None:
    linear = method_of("linear", torch.device("cpu"))
    assert isinstance(linear, ModelMethod)
    sources = scene().sources
    plain, once = (Passes(linear, n).show(sources).pictures[Fraction(10)] for n in (0, 1))
    assert plain.to_bytes() == sources[10].to_bytes()
    # knots are the means of neighbours; frame 10 lies half way between two of them
    mean = (sources[9].y + 2.0 * sources[10].y + sources[11].y) / 4
    assert np.abs(once.y - mean).max() <= 1


def test_passes_made_before_are_those_that_what_is_looked_at_needs() -> None:
    actions = plan_of(NUM, PlanOptions(passes=2))
    lead, timed = split(actions, NUM)
    made = {action.image for action in (*lead, *timed) if isinstance(action, Mid)}
    sources = {(0, n) for n in range(NUM)}
    for action in (*lead, *timed):
        if isinstance(action, Mid):
            assert {action.left, action.right} <= made | sources
    assert all(isinstance(action, Mid) for action in lead)
    assert 0 < len(lead) <= 4


def test_sharpness_is_that_of_the_gradient() -> None:
    ramp = np.tile(np.arange(0, 100, 2, dtype=np.uint8), (4, 1))
    assert sharpness(ramp // 2, ramp) == pytest.approx(0.5)
    assert sharpness(ramp, np.zeros_like(ramp)) is None
