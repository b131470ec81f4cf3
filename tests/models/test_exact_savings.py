"""What is saved in RIFE changes no number: against the plain formulas, and one by one."""

from __future__ import annotations

import pytest
import torch
from made_weights import random_state
from torch.nn import functional

from benchmarks.models import compare
from benchmarks.plain_rife import PlainRife
from rtvfi.models.catalogue import MODELS
from rtvfi.models.rife import ifnet
from rtvfi.models.rife.ifnet import Conv, as_plain_convolution, fold
from rtvfi.models.rife.network import Rife
from rtvfi.models.rife.rows import RIFE_GROUPS
from rtvfi.models.rife.shape import SHAPES
from rtvfi.models.tuning import tune

CPU = torch.device("cpu")

pytestmark = pytest.mark.usefixtures("inference")


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("group", "flow_scale"),
    [(group, 1.0) for group in SHAPES]
    + [(group, scale) for group in ("4.6", "4.25") for scale in (0.25, 0.5, 2.0, 4.0)],
)
def test_a_picture_is_that_of_the_plain_formulas(group: str, flow_scale: float) -> None:
    state = random_state(f"rife {group}")
    info = MODELS[f"rife-{group}"]
    net = Rife(state, info, tune(CPU, torch.float32), flow_scale=flow_scale)
    size = 256 if flow_scale < 1 else 128
    img0, img1 = (
        functional.interpolate(noise(1, 3, 16, 16, seed=s), (size, size), mode="bilinear")
        for s in (1, 2)
    )
    ours = net.pair(net.prepare(img0), net.prepare(img1), [0.3])
    plain = PlainRife(state, group, flow_scale)(img0, img1, 0.3)
    torch.testing.assert_close(ours, plain, atol=1e-4, rtol=0)
    blend = torch.lerp(img0, img1, 0.5)
    assert (plain - blend).abs().mean() > 0.001, "the case says nothing: no motion, no mask"


def test_a_transposed_convolution_is_a_plain_one_and_a_shuffle() -> None:
    x, weight = noise(2, 5, 6, 7), noise(5, 3, 4, 4, seed=1)
    wanted = functional.conv_transpose2d(x, weight, stride=2, padding=1)
    plain = functional.conv2d(x, as_plain_convolution(weight), padding=1)
    torch.testing.assert_close(functional.pixel_shuffle(plain, 2), wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("rows", [1, 3, 5, 16])
def test_a_convolution_of_bands_is_that_of_the_whole(
    rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    conv = Conv(noise(6, 9, 3, 3), noise(6), tune(CPU, torch.float32), stride=2, slope=0.2)
    parts = [noise(2, n, 26, 10, seed=n) for n in (2, 3, 4)]
    monkeypatch.setattr(ifnet, "_LEAST_ROWS", rows)
    monkeypatch.setattr(ifnet, "_BAND_BYTES", 0)
    assert torch.equal(conv.of_parts(parts), conv(torch.cat(parts, 1)))


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("with_residual", [False, True])
def test_gain_and_residual_fold_into_the_convolution(groups: int, with_residual: bool) -> None:
    x, beta = noise(1, 6, 5, 8), noise(1, 6, 1, 1, seed=1)
    weight, bias = noise(6, 6 // groups, 3, 3, seed=2), noise(6, seed=3)
    wanted = functional.conv2d(x, weight, bias, padding=1, groups=groups) * beta
    folded = fold(weight, bias, beta, with_residual=with_residual)
    got = functional.conv2d(x, *folded, padding=1, groups=groups)
    torch.testing.assert_close(got, wanted + x * with_residual, atol=1e-5, rtol=0)


def test_a_picture_is_encoded_once_for_all_its_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Rife(random_state("rife 4.25.lite"), MODELS["rife-4.25.lite"], tune(CPU, torch.float32))
    calls = []
    encoder = net.encoder
    assert encoder is not None

    def counted(image: torch.Tensor) -> torch.Tensor:
        calls.append(image)
        return encoder(image)

    monkeypatch.setattr(net, "encoder", counted)
    a, b, c = (net.prepare(noise(1, 3, 64, 64, seed=s)) for s in range(3))
    net.pair(a, b, [0.25, 0.5])
    net.pair(b, c, [0.5])
    assert len(calls) == 3


def test_the_benchmark_prints_a_row_for_every_architecture() -> None:
    row = compare("4.25.lite", 128, 128, CPU, 1).split()
    assert row[:2] == ["4.25.lite", "128x128"]
    assert float(row[-1]) < 1e-4
    assert set(SHAPES) == set(RIFE_GROUPS)
