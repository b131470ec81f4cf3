from __future__ import annotations

import pytest
import torch

from rtvfi.models.triple import around_centre

CENTRE = torch.full((1, 3, 2, 2), 7.0)


def constant(sign: int, near: list[float]) -> torch.Tensor:
    return torch.stack([torch.full((3, 2, 2), sign * t) for t in near])


def test_each_side_is_asked_once_and_the_order_is_kept() -> None:
    calls: list[tuple[int, list[float]]] = []

    def make(sign: int, near: list[float]) -> torch.Tensor:
        calls.append((sign, near))
        return constant(sign, near)

    out = around_centre([1.25, 0.5, 1.0, 1.5, 0.5], CENTRE, make)
    assert out[:, 0, 0, 0].tolist() == [1.25, -0.5, 7.0, 1.5, -0.5]
    assert calls == [(-1, [0.5]), (1, [1.25, 1.5])]


@pytest.mark.parametrize("t", [1.0, 1 - 2**-12, 1 + 2**-12])
def test_next_to_the_centre_no_network_runs(t: float) -> None:
    def never(sign: int, near: list[float]) -> torch.Tensor:
        raise AssertionError(sign, near)

    assert torch.equal(around_centre([t], CENTRE, never), CENTRE)


@pytest.mark.parametrize("t", [0.4, 1.6])
def test_timesteps_beyond_a_triple_are_refused(t: float) -> None:
    with pytest.raises(ValueError, match=str(t)):
        around_centre([1.0, t], CENTRE, constant)
