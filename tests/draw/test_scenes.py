from __future__ import annotations

import pytest
import torch
from fetching import fetch, smooth_texture

from rtvfi.draw.layers import Layer, exact_flow, render
from rtvfi.draw.options import SceneOptions
from rtvfi.draw.scenes import Bank, SceneBatch, Scenes, make_bank

OPTIONS = SceneOptions(size=96, fastest=12.0, num_backgrounds=4, num_sprites=8)


@pytest.fixture(scope="module")
def bank() -> Bank:
    return make_bank(OPTIONS, 5)


@pytest.fixture(scope="module")
def batch(bank: Bank) -> SceneBatch:
    return Scenes(OPTIONS, 5, bank).batch(3, 12)


def test_a_scene_has_bytes_at_three_times_and_a_flow_of_half_density(batch: SceneBatch) -> None:
    for picture in (batch.left, batch.middle, batch.right):
        assert picture.shape == (12, 3, 96, 96)
        assert picture.dtype == torch.uint8
    assert batch.flow.shape == (12, 4, 48, 48)
    assert ((batch.t > 0.05) & (batch.t < 0.95)).all()


def test_the_flow_leads_to_the_same_place_in_both_ends(batch: SceneBatch) -> None:
    truth = batch.middle[:, :, ::2, ::2].float()
    for end, flow in ((batch.left, batch.flow[:, 0:2]), (batch.right, batch.flow[:, 2:4])):
        error = (fetch(end, flow.float()) - truth).abs()
        standing = (fetch(end, torch.zeros_like(flow.float())) - truth).abs()
        assert error.median() <= 2
        assert error.mean() < 0.75 * standing.mean()  # the rest is hidden in that end


def test_the_flow_of_a_turning_growing_bending_layer_is_exact() -> None:
    size = 96
    values = (48, 48, 90, 0.4, 5, -3, 0.1, 0.2, 0.05, 3, 1)
    layer = Layer(*(torch.tensor([float(value)]) for value in values))
    texture = smooth_texture()
    t = torch.tensor([0.3])
    middle, owner, place = render([layer], [texture], t, size)
    flow = exact_flow([layer], owner[:, ::2, ::2], place[:, ::2, ::2], t)
    assert flow.abs().max() > 4
    for end, part in ((0.0, flow[:, 0:2]), (1.0, flow[:, 2:4])):
        picture, _, _ = render([layer], [texture], torch.tensor([end]), size)
        error = (fetch(picture, part) - middle[:, :, ::2, ::2]).abs()
        assert error[..., 12:-12, 12:-12].max() < 2e-3


def test_a_scene_depends_on_seed_and_number_alone(bank: Bank) -> None:
    first = Scenes(OPTIONS, 5, bank)
    first.batch(0, 2)
    a, b = first.batch(7, 2), Scenes(OPTIONS, 5, bank).batch(7, 2)
    for left, right in zip(a, b, strict=True):
        assert torch.equal(left, right)
    other = Scenes(OPTIONS, 6, bank).batch(7, 2)
    assert not torch.equal(a.middle, other.middle)


def test_the_same_seed_draws_the_same_textures(bank: Bank) -> None:
    again = make_bank(OPTIONS, 5)
    assert torch.equal(again.backgrounds, bank.backgrounds)
    assert torch.equal(again.sprites[1], bank.sprites[1])


def test_motion_sizes_are_mixed(bank: Bank) -> None:
    scenes = Scenes(OPTIONS, 5, bank)
    flows = [scenes.batch(k, 8, t=0.5).flow.float() for k in range(8)]
    size = torch.cat([(f[:, 2:4] - f[:, 0:2]).norm(dim=1).flatten() for f in flows])
    assert (size < 0.05).float().mean() > 0.05
    assert ((size > 0.05) & (size < 1)).float().mean() > 0.05
    assert ((size > 1) & (size < 6)).float().mean() > 0.1
    assert (size > 6).float().mean() > 0.05


def test_time_half_lies_between_the_ends(bank: Bank) -> None:
    flow = Scenes(OPTIONS, 5, bank).batch(1, 6, t=0.5).flow.float()
    both = (flow[:, 0:2] + flow[:, 2:4]).abs()  # opposite but for turning and bending
    assert both.median() < 0.1
