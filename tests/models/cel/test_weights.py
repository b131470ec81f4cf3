"""What the embedded weights can do, on pictures drawn here."""

from __future__ import annotations

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from rtvfi.core.data import data_path
from rtvfi.draw.layers import Layer, render
from rtvfi.draw.options import SceneOptions
from rtvfi.draw.scenes import Scenes, make_bank
from rtvfi.draw.sprites import lettering
from rtvfi.draw.textures import clutter
from rtvfi.models.base import Planes
from rtvfi.models.cel.network import Cel, build
from rtvfi.quality.planes import rgb_to_planes

pytestmark = pytest.mark.weights

SIZE = 192


@pytest.fixture(scope="module")
def cel() -> Cel:
    return Cel(build(load_file(data_path("weights", "cel.safetensors"))).float())


def middle(cel: Cel, left: Planes, right: Planes, t: float = 0.5) -> Planes:
    with torch.inference_mode():
        return cel.pair(cel.prepare(left), cel.prepare(right), [t])


def psnr(made: torch.Tensor, truth: torch.Tensor) -> float:
    return float(-10 * torch.log10((made - truth).square().mean() + 1e-9))


def layer(dx: float, dy: float, scale: float) -> Layer:
    values = dict.fromkeys(Layer._fields, 0.0) | {"x": SIZE / 2, "y": SIZE / 2, "wave": 1.0}
    values |= {"dx": dx, "dy": dy, "scale": scale}
    return Layer(**{name: torch.tensor([value]) for name, value in values.items()})


def shots(layers: list[Layer], textures: list[torch.Tensor], *ts: float) -> list[Planes]:
    pictures = (render(layers, textures, torch.tensor([t]), SIZE)[0] for t in ts)
    return [rgb_to_planes((p * 255).round().clamp(0, 255).byte()) for p in pictures]


@pytest.fixture
def wall() -> torch.Tensor:
    g = torch.Generator().manual_seed(11)
    return torch.cat((clutter(g, 256), torch.ones(1, 256, 256)))[None]


def test_the_file_is_small_and_says_what_it_is() -> None:
    path = data_path("weights", "cel.safetensors")
    assert path.stat().st_size < 4_000_000
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    assert metadata["model"] == "cel"
    assert metadata["licence"] == "CC0-1.0"
    assert {"step", "seconds", "seed", "code", "machine"} <= set(metadata)


def test_generated_scenes_come_out_nearer_than_a_fade(cel: Cel) -> None:
    options = SceneOptions(size=SIZE, num_backgrounds=4, num_sprites=8, fastest=32.0)
    batch = Scenes(options, 77, make_bank(options, 77)).batch(0, 8, t=0.5)
    left, truth, right = (rgb_to_planes(p) for p in batch[:3])
    made, faded = [], []
    for k in range(8):
        a, b = (Planes(*(plane[k : k + 1] for plane in p)) for p in (left, right))
        made.append(psnr(middle(cel, a, b).y, truth.y[k : k + 1]))
        faded.append(psnr((a.y + b.y) / 2, truth.y[k : k + 1]))
    assert sum(made) > sum(faded) + 8 * 2


@pytest.mark.parametrize("t", [0.25, 0.5, 0.8])
def test_a_pan_arrives_where_it_should(cel: Cel, wall: torch.Tensor, t: float) -> None:
    left, truth, right = shots([layer(9.0, -4.0, 200.0)], [wall], 0.0, t, 1.0)
    inner = (..., slice(16, -16), slice(16, -16))
    made = middle(cel, left, right, t).y[inner]
    fade = torch.lerp(left.y, right.y, t)[inner]
    assert psnr(made, truth.y[inner]) > psnr(fade, truth.y[inner]) + 6


def test_lettering_at_rest_stays_while_the_picture_below_pans(cel: Cel, wall: torch.Tensor) -> None:
    letters = lettering(torch.Generator().manual_seed(2), 160)[None]
    layers, textures = [layer(8.0, 0.0, 200.0), layer(0.0, 0.0, 80.0)], [wall, letters]
    left, truth, right = shots(layers, textures, 0.0, 0.5, 1.0)
    _, owner, _ = render(layers, textures, torch.tensor([0.5]), SIZE)
    ink = owner == 1
    assert ink.sum() > 500
    error = (middle(cel, left, right).y - truth.y)[0, 0].abs()[ink[0]]
    assert error.mean() < 4 / 255


def test_a_held_drawing_is_the_same_to_the_last_bit(cel: Cel, wall: torch.Tensor) -> None:
    (held,) = shots([layer(0.0, 0.0, 200.0)], [wall], 0.0)
    made = middle(cel, held, Planes(held.y.clone(), held.uv.clone()))
    assert torch.equal((made.y * 255).round(), (held.y * 255).round())


def test_a_picture_much_larger_than_the_training_crops_holds_together(cel: Cel) -> None:
    scenery = clutter(torch.Generator().manual_seed(3), 784)[None]
    whole = rgb_to_planes((scenery * 255).round().byte())

    def shifted(by: int) -> Planes:
        y, uv = whole.y[..., by : by + 768], whole.uv[..., by // 2 : by // 2 + 384]
        return Planes(y.contiguous(), uv.contiguous())

    inner = (..., slice(32, -32), slice(32, -32))
    made = middle(cel, shifted(0), shifted(8)).y[inner]
    assert psnr(made, shifted(4).y[inner]) > 35


def test_bfloat16_convolutions_lose_nothing(wall: torch.Tensor) -> None:
    left, truth, right = shots([layer(7.3, 2.1, 1.2)], [wall], 0.0, 0.5, 1.0)
    state = load_file(data_path("weights", "cel.safetensors"))
    whole, half = (
        middle(Cel(build(dict(state)).to(dtype)), left, right)
        for dtype in (torch.float32, torch.bfloat16)
    )
    assert half.y.dtype == torch.float32
    assert psnr(half.y, truth.y) > psnr(whole.y, truth.y) - 0.1
