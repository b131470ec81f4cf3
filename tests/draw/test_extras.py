from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from fetching import fetch, smooth_texture

from rtvfi.draw.compression import compress, cosines
from rtvfi.draw.layers import Layer, exact_flow, exact_index, render
from rtvfi.draw.options import SceneOptions
from rtvfi.draw.scenes import Bank, Scenes, make_bank

PLAIN = SceneOptions(size=96, fastest=12.0, num_backgrounds=4, num_sprites=8)
ALL = replace(
    PLAIN, figures=1.0, particles=1.0, fades=0.5, sweeps=0.3, zooms=0.5, compression=0.5,
    easing=0.5, truth=True,
)  # fmt: skip
EXTRAS = ("figures", "particles", "fades", "sweeps", "zooms", "compression", "easing")


@pytest.fixture(scope="module")
def bank() -> Bank:
    return make_bank(ALL, 5)


def having(name: str) -> dict[str, Any]:
    return {} if name == "plain" else {name: 1.0}


def test_the_plain_recipe_draws_what_it_always_drew(bank: Bank) -> None:
    batch = Scenes(PLAIN, 5, make_bank(PLAIN, 5)).batch(3, 4)
    means = [float(p.float().mean()) for p in batch[:3]]
    assert means == pytest.approx([158.8789, 158.8892, 158.9115], abs=0.02)
    assert batch.t.tolist() == pytest.approx([0.7492, 0.6976, 0.3148, 0.476], abs=1e-4)
    assert float(batch.flow.float().abs().mean()) == pytest.approx(1.13101, abs=1e-3)
    assert torch.equal(bank.backgrounds, make_bank(PLAIN, 5).backgrounds)


@pytest.mark.parametrize("name", EXTRAS)
def test_every_extra_changes_scenes(bank: Bank, name: str) -> None:
    with_it = Scenes(replace(PLAIN, **having(name)), 5, bank).batch(3, 4)
    plain = Scenes(PLAIN, 5, bank).batch(3, 4)
    assert torch.equal(with_it.t, plain.t)
    ends = [not torch.equal(a, b) for a, b in zip(with_it[0:3:2], plain[0:3:2], strict=True)]
    middle = not torch.equal(with_it.middle, plain.middle)
    # what moves unevenly is at both ends where it was; what is compressed is not the truth
    expected = {"easing": ([False, False], True), "compression": ([True, True], False)}
    assert (ends, middle) == expected.get(name, ([True, True], True))


@pytest.mark.parametrize("name", ["plain", "figures", "particles", "zooms", "sweeps", "easing"])
def test_the_flow_stays_exact(bank: Bank, name: str) -> None:
    options = replace(PLAIN, truth=True, **having(name))
    batch = Scenes(options, 5, bank).batch(4, 8)
    truth = batch.middle[:, :, ::2, ::2].float()
    ends = ((batch.left, batch.flow[:, 0:2]), (batch.right, batch.flow[:, 2:4]))
    for k, (end, flow) in enumerate(ends):
        seen = batch.visible[:, k, None].expand_as(truth)
        error = (fetch(end, flow.float()) - truth).abs()
        assert error[seen].median() <= 2
        assert error[seen].mean() < 8
        assert seen.float().mean() > 0.3
        if not seen.all():
            assert error[~seen].mean() > error[seen].mean()


def test_a_limb_turns_about_its_joint_at_the_end_of_an_arm() -> None:
    size = 96
    values = (48, 48, 40, 0.4, 5, -3, 0, 0.6, 0, 1, 0, -0.8, 20, 0.3, -0.5, 0.7, 0.0)
    limb = Layer(*(torch.tensor([float(value)]) for value in values))
    texture = smooth_texture()
    t = torch.tensor([0.3])
    middle, owner, place = render([limb], [texture], t, size)
    flow = exact_flow([limb], owner[:, ::2, ::2], place[:, ::2, ::2], t)
    is_inside = (place[:, ::2, ::2].abs().amax(dim=-1) < 0.9)[:, None].expand(1, 3, 48, 48)
    assert is_inside.sum() > 500
    assert flow.abs().max() > 6
    for end, part in ((0.0, flow[:, 0:2]), (1.0, flow[:, 2:4])):
        picture, _, _ = render([limb], [texture], torch.tensor([end]), size)
        error = (fetch(picture, part) - middle[:, :, ::2, ::2]).abs()
        assert error[is_inside].median() < 2e-3


def test_the_distance_index_of_an_even_scene_is_its_time_and_of_an_eased_one_is_not() -> None:
    still = [torch.tensor([v]) for v in (0.0,) * 6]
    values = [torch.tensor([float(v)]) for v in (48, 48, 90, 0, 9, 0, 0, 0, 0, 1, 0)]
    even = Layer(*values, *still)
    eased = even._replace(pace=torch.tensor([0.8]))
    t, owner = torch.tensor([0.25]), torch.zeros(1, 4, 4, dtype=torch.int64)
    place = torch.rand(1, 4, 4, 2, generator=torch.Generator().manual_seed(1))
    index = exact_index([even], owner, place, t).flatten().tolist()
    assert index == pytest.approx([0.25] * 16, abs=1e-4)
    gone = 0.25 + 0.8 * 0.25 * 0.75
    assert exact_index([eased], owner, place, t).mean() == pytest.approx(gone, abs=1e-3)
    back = exact_index([eased], owner, place, t, is_back=True)
    assert back.mean() == pytest.approx(1 - gone, abs=1e-3)
    rest = even._replace(dx=torch.zeros(1))
    assert exact_index([rest], owner, place, t).isnan().all()


def test_extras_depend_on_seed_and_number_alone(bank: Bank) -> None:
    first = Scenes(ALL, 5, bank)
    first.batch(0, 2)
    a, b = first.batch(7, 2), Scenes(ALL, 5, bank).batch(7, 2)
    for left, right in zip(a, b, strict=True):
        assert torch.equal(left.nan_to_num(), right.nan_to_num())


def test_sweeps_reach_the_largest_motion(bank: Bank) -> None:
    scenes = Scenes(replace(PLAIN, sweeps=1.0, fastest=40.0), 5, bank)
    flow = scenes.batch(1, 16).flow.float()
    way = (flow[:, 2:4] - flow[:, 0:2]).norm(dim=1)
    assert way.median() > 15
    assert way.amax() > 35


def test_cosines_are_orthonormal() -> None:
    torch.testing.assert_close(cosines() @ cosines().T, torch.eye(8))


def test_fine_steps_keep_a_picture_and_coarse_ones_make_blocks() -> None:
    y = torch.linspace(0, 1, 40)
    smooth = (y[:, None] * 0.5 + y * 0.3).expand(1, 3, 40, 40)
    step = torch.tensor([1e-4])
    torch.testing.assert_close(compress(smooth, step), smooth, atol=2e-3, rtol=0)
    assert torch.equal(compress(smooth, torch.zeros(1)), smooth)
    coarse = compress(smooth, torch.tensor([0.2]))
    jumps = coarse.diff(dim=3).abs().mean(dim=(0, 1, 2))
    inside = torch.ones(39, dtype=torch.bool)
    inside[7::8] = False
    assert jumps[7::8].mean() > 2 * jumps[inside].mean()
