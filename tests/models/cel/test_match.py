from __future__ import annotations

import pytest
import torch

from rtvfi.models.cel.match import FARTHEST, lucas_kanade

SIZE = 48


def waves(dx: float, dy: float) -> torch.Tensor:
    """A smooth picture moved by (dx, dy)."""
    y, x = torch.meshgrid(
        torch.arange(SIZE) - float(dy), torch.arange(SIZE) - float(dx), indexing="ij"
    )
    return (0.3 * torch.sin(0.5 * x + 0.2 * y) + 0.2 * torch.cos(0.45 * y - 0.1 * x))[None, None]


def settled(left: torch.Tensor, right: torch.Tensor, t: float = 0.5) -> torch.Tensor:
    flow = torch.zeros(1, 4, SIZE, SIZE)
    return lucas_kanade(flow, left, right, torch.full((1, 1, 1, 1), t))


@pytest.mark.parametrize("t", [0.25, 0.5])
def test_a_fraction_of_a_pixel_is_found_to_a_tenth_of_it(t: float) -> None:
    motion = torch.tensor([0.5, -0.3])
    flow = settled(waves(0, 0), waves(0.5, -0.3), t)[0, :, 8:-8, 8:-8].mean(dim=(1, 2))
    wanted = torch.cat((-t * motion, (1 - t) * motion))
    torch.testing.assert_close(flow, wanted, atol=0.05, rtol=0)


def test_two_steps_come_closer_than_one() -> None:
    left, right, t = waves(0, 0), waves(0.9, 0.6), torch.full((1, 1, 1, 1), 0.5)
    once = settled(left, right)
    twice = lucas_kanade(once, left, right, t)
    wanted = torch.tensor([-0.45, -0.3, 0.45, 0.3]).view(1, 4, 1, 1)
    errors = [(flow - wanted)[..., 8:-8, 8:-8].abs().mean() for flow in (once, twice)]
    assert errors[1] < 0.5 * errors[0]


def test_what_agrees_and_what_is_flat_stays_where_it_is() -> None:
    assert settled(waves(0, 0), waves(0, 0)).abs().max() == 0
    grey, black = (torch.full((1, 1, SIZE, SIZE), value) for value in (0.2, 0.0))
    assert settled(grey, black).abs().max() < 1e-5


def test_no_correction_is_longer_than_the_slope_can_vouch_for() -> None:
    g = torch.Generator().manual_seed(3)
    left, right = torch.rand(2, 1, 1, SIZE, SIZE, generator=g)
    flow = settled(left, right)
    motion = flow[:, 2:4] - flow[:, 0:2]
    assert float(motion.square().sum(dim=1).sqrt().max()) <= FARTHEST + 1e-5


def test_gradients_pass_as_if_the_correction_were_a_constant() -> None:
    flow = torch.zeros(1, 4, SIZE, SIZE, requires_grad=True)
    left, right = waves(0, 0), waves(0.5, 0)
    made = lucas_kanade(flow, left, right, torch.full((1, 1, 1, 1), 0.5))
    torch.autograd.backward(made.sum())
    assert flow.grad is not None
    assert torch.equal(flow.grad, torch.ones_like(flow))
