from __future__ import annotations

import pytest
import torch

from rtvfi.draw.options import SceneOptions
from rtvfi.draw.scenes import SceneBatch, Scenes, make_bank
from rtvfi.quality.planes import rgb_to_planes
from rtvfi.train.data import Feed, augment

OPTIONS = SceneOptions(size=48, fastest=6.0, num_backgrounds=2, num_sprites=2)


@pytest.fixture(scope="module")
def scenes() -> Scenes:
    return Scenes(OPTIONS, 1, make_bank(OPTIONS, 1))


def feed(scenes: Scenes) -> Feed:
    return Feed(scenes, num_scenes=2, crop=32, uses=3, pool=2)


def test_white_and_primaries_become_bt709_planes() -> None:
    rgb = torch.zeros(1, 3, 2, 6, dtype=torch.uint8)
    rgb[:, :, :, 0:2] = 255
    rgb[:, 0, :, 2:4] = 255
    rgb[:, 2, :, 4:6] = 255
    planes = rgb_to_planes(rgb)
    torch.testing.assert_close(planes.y[0, 0, 0, ::2], torch.tensor([1.0, 0.2126, 0.0722]))
    expected = torch.tensor([[0.0, -0.11457, 0.5], [0.0, 0.5, -0.04585]])
    torch.testing.assert_close(planes.uv[0, :, 0], expected, atol=1e-4, rtol=0)


def test_a_step_gets_the_same_sample_in_a_fresh_feed(scenes: Scenes) -> None:
    first = feed(scenes)
    walked = [first.sample(step) for step in range(11)]
    resumed = feed(scenes).sample(10)
    assert torch.equal(walked[10].flow, resumed.flow)
    assert torch.equal(walked[10].middle.y, resumed.middle.y)


def test_uses_of_one_scene_batch_differ(scenes: Scenes) -> None:
    one = feed(scenes)
    assert not torch.equal(one.sample(0).middle.y, one.sample(1).middle.y)


@pytest.mark.parametrize("seed", range(12))
def test_augmentation_keeps_the_flow_true(seed: int) -> None:
    # a ramp whose value tells its place: moving by the flow changes it by slope * flow
    size = 40
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    flow = torch.tensor([3.0, -1.0, -6.0, 2.0]).view(1, 4, 1, 1).expand(1, 4, 20, 20)

    def ramp(dx: float, dy: float) -> torch.Tensor:
        return (3 * (x - dx) + 2 * (y - dy) + 40).byte()[None, None].expand(1, 3, size, size)

    # an object seen at p in the middle is at p + flow in the ends: end(p + flow) = middle(p)
    batch = SceneBatch(ramp(3, -1), ramp(0, 0), ramp(-6, 2), torch.tensor([0.3]), flow)
    out = augment(batch, 32, torch.Generator().manual_seed(seed))
    middle = out.middle[0, 0].float()
    for end, (fx, fy) in ((out.left, out.flow[0, 0:2, 8, 8]), (out.right, out.flow[0, 2:4, 8, 8])):
        there = end[0, 0].float()[16 + int(fy), 16 + int(fx)]
        assert there == middle[16, 16]
    span = (out.flow[0, 2:4, 0, 0] - out.flow[0, 0:2, 0, 0]).abs().sum()
    assert float(span) == 12.0
    assert float(out.t) == pytest.approx(0.3 if out.flow[0, 0:2, 0, 0].abs().sum() == 4 else 0.7)
