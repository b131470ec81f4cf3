from __future__ import annotations

import numpy as np
import torch
from goldens_at import assert_near
from models.interpany.networks import golden

from rtvfi.models.interpany import index
from rtvfi.models.interpany.curve import Curve

SIZE = (48, 64)


def stored() -> torch.Tensor:
    return torch.from_numpy(golden("index").arrays["stored"])[None, None]


def test_it_is_softened_as_in_training() -> None:
    arrays = golden("index").arrays
    assert_near(index.softened_small(stored())[0, 0], arrays["d_map"], 1e-6)
    assert_near(index.softened(index.enlarged(stored()))[0, 0], arrays["dr_map"], 1e-6)


def test_softening_a_picture_smaller_than_the_blur_keeps_what_is_even() -> None:
    even = torch.full((1, 1, 2, 40), 0.3)
    assert_near(index.softened(even), even.numpy(), 1e-6)


def test_the_first_mask_wins_where_masks_overlap() -> None:
    first, second = torch.zeros(2, *SIZE, dtype=torch.bool)
    first[8:30, 10:40] = True
    second[20:44, 30:60] = True
    curves = golden("index").meta["curves"]
    values = [curves[name]["y"][5] for name in ("ease", "back")]
    got = index.painted([first, second], values, 0.0)
    assert_near(got[0, 0], golden("index").arrays["manip_map"], 1e-6)


def test_curves_are_the_reference_ones() -> None:
    times = [j / 10 for j in range(11)]
    for curve in golden("index").meta["curves"].values():
        heights = [0.1 + 0.8 * v / 100 for v in curve["points"]]
        last = len(heights) - 1
        made = Curve(tuple((i / last, y) for i, y in enumerate(heights)))
        np.testing.assert_allclose(made.at(times), curve["y"], atol=1e-6)
