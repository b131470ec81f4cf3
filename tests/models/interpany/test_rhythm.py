from __future__ import annotations

from typing import TYPE_CHECKING

import golden_fill
import pytest
import torch
from models.interpany.networks import state

from rtvfi.models.base import TripleInterpolator
from rtvfi.models.catalogue import MODELS
from rtvfi.models.drba.drba import DrbaLink, link_of, ratios
from rtvfi.models.interpany.rhythm import RhythmInterpany
from rtvfi.models.tuning import tune

if TYPE_CHECKING:
    from rtvfi.models.interpany.model import Prepared

FLOAT = tune(torch.device("cpu"), torch.float32)

pytestmark = pytest.mark.usefixtures("inference")


def model(name: str) -> RhythmInterpany:
    network, variant = name.split("-")
    row = MODELS[f"interpany-{name}"]
    return RhythmInterpany(state(network, variant == "dr"), row, FLOAT)


def prepared(net: RhythmInterpany) -> tuple[Prepared, Prepared, Prepared]:
    frames = torch.from_numpy(golden_fill.make_frames(7, 50, 70, 3))
    a, b, c = (net.prepare(frames[k : k + 1]) for k in range(3))
    return a, b, c


def even(like: Prepared, near: float, far: float) -> tuple[DrbaLink, DrbaLink]:
    """Links in which everything moves by so much to the left and to the right of the centre."""
    height, width = like.image.shape[-2:]
    left, right = torch.zeros(2, 1, 2, height, width)
    left[:, 0], right[:, 0] = -near, far
    return DrbaLink(-left, left), DrbaLink(right, -right)


@pytest.mark.parametrize("name", ["rife-d", "rife-dr", "ifrnet-d"])
def test_where_both_sides_move_alike_the_rhythm_is_that_of_the_time(name: str) -> None:
    net = model(name)
    frames = prepared(net)
    assert isinstance(net, TripleInterpolator)
    out = net.triple(frames, even(frames[1], 3, 3), [0.75, 1.25])
    left = net.pair(frames[1], frames[0], [0.25])
    right = net.pair(frames[1], frames[2], [0.25])
    torch.testing.assert_close(out, torch.cat((left, right)), atol=1e-4, rtol=0)


def test_what_goes_far_on_one_side_goes_there_in_small_steps() -> None:
    net = model("rife-d")
    frames = prepared(net)
    # three times as far to the left: a quarter of the way there is three quarters to the right
    out = net.triple(frames, even(frames[1], 6, 2), [0.75, 1.25])
    left = net.pair(frames[1], frames[0], [2 * 0.25 * 0.25])
    right = net.pair(frames[1], frames[2], [2 * 0.25 * 0.75])
    torch.testing.assert_close(out, torch.cat((left, right)), atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", ["rife-d", "rife-dr", "ifrnet-dr", "amt-d"])
def test_links_are_found_by_the_network_itself(name: str) -> None:
    net = model(name)
    a, b, c = prepared(net)
    out = net.triple((a, b, c), (net.link(a, b), net.link(b, c)), [0.5, 1, 1.3])
    assert out.shape == (3, 3, 50, 70)
    assert bool(out.isfinite().all())


def test_motion_nobody_knows_is_shared_evenly() -> None:
    middle = torch.zeros(1, 4, 32, 32)
    middle[:, 0] = 100  # all of it leaves the picture
    link = link_of(middle)
    assert torch.equal(
        ratios(link.forward, torch.ones(1, 2, 32, 32)), torch.full((1, 1, 32, 32), 0.5)
    )
