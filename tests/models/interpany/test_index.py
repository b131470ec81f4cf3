from __future__ import annotations

import golden_fill
import numpy as np
import torch
from goldens_at import assert_near
from models.interpany.networks import golden

from rtvfi.models.interpany import index
from rtvfi.models.interpany.curve import Curve

SIZE = (48, 64)


def flows() -> tuple[torch.Tensor, torch.Tensor]:
    whole = golden_fill.make_flow(42, *SIZE, 4.0) + np.array([5, -3], np.float32)[:, None, None]
    part = (0.45 * whole + 0.35 * golden_fill.make_flow(41, *SIZE, 6.0)).astype(np.float32)
    part[:, 7, 9] = 0
    whole[:, 7, 9] = whole[:, 8, 20] = 0
    return torch.from_numpy(part)[None], torch.from_numpy(whole)[None]


def stored() -> torch.Tensor:
    return torch.from_numpy(golden("index").arrays["stored"])[None, None]


def test_an_index_is_the_projection_of_the_way_so_far_and_nothing_where_nothing_moves() -> None:
    got, wanted = index.distance_index(*flows())[0, 0], golden("index").arrays["raw"]
    still = np.isnan(wanted)
    assert int(still.sum()) == 2
    assert np.array_equal(np.isnan(got.numpy()), still)
    assert_near(got[torch.from_numpy(~still)], wanted[~still], 1e-5)


def test_it_is_kept_at_half_the_size() -> None:
    arrays = golden("index").arrays
    got = index.kept(torch.from_numpy(arrays["clean"])[None, None])
    assert got.dtype == torch.float16
    assert np.array_equal(got[0, 0].numpy(), arrays["stored"])


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
