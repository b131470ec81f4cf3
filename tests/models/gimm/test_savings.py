from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from gimm_made import (
    CPU,
    FLOAT,
    INFO,
    flows,
    frames,
    matches,
    model,
    pair_motion,
    prepared,
    state,
    synthesised,
)

from rtvfi.core.errors import UsageError
from rtvfi.models.gimm import correlation, motion, synthesis
from rtvfi.models.gimm.correlation import Correlation, pixel_grid, pyramid
from rtvfi.models.gimm.model import Gimm
from rtvfi.models.tuning import Tuning
from rtvfi.models.warp import splat

if TYPE_CHECKING:
    from torch import Tensor

pytestmark = pytest.mark.usefixtures("inference")


# --- what is saved changes nothing -----------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 2])
def test_products_where_they_are_read_are_those_of_all_pairs(batch: int) -> None:
    generator = torch.Generator().manual_seed(1)
    near, far = (torch.randn(batch, 16, 17, 18, generator=generator) for _ in range(2))
    place = pixel_grid(near) + 6 * torch.randn(batch, 2, 17, 18, generator=generator)
    place[0, :, 0, 0] = torch.tensor([float("nan"), 1e30])
    kept = Correlation(near, pyramid(far))
    read = Correlation(near, pyramid(far), volume_bytes=0)
    assert kept.volume is not None
    assert read.volume is None
    torch.testing.assert_close(kept(place), read(place), atol=1e-5, rtol=1e-5)


def test_likeness_is_that_of_a_volume_read_by_grid_sample() -> None:
    generator = torch.Generator().manual_seed(2)
    near, far = (torch.randn(1, 8, 16, 24, generator=generator) for _ in range(2))
    place = pixel_grid(near) + 3 * torch.randn(1, 2, 16, 24, generator=generator)
    volume = torch.einsum("ncp,nchw->nphw", near.flatten(2), far)[0][:, None] / 8**0.5
    steps = torch.arange(-4.0, 5.0)
    wanted = []
    for level in range(4):
        rows, columns = volume.shape[-2:]
        x = place[0, 0].flatten()[:, None, None] / 2**level + steps[:, None]
        y = place[0, 1].flatten()[:, None, None] / 2**level + steps
        grid = torch.stack(
            (2 * (x + 0 * y) / (columns - 1) - 1, 2 * (y + 0 * x) / (rows - 1) - 1), -1
        )
        read = torch.nn.functional.grid_sample(volume, grid, align_corners=True)
        wanted.append(read.view(16, 24, 81))
        volume = torch.nn.functional.avg_pool2d(volume, 2)
    got = Correlation(near, pyramid(far))(place)[0].permute(1, 2, 0)
    torch.testing.assert_close(got, torch.cat(wanted, -1), atol=1e-4, rtol=0)


def test_strips_change_no_pixel(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(3)
    net, size = model().motion, (1, 2, 136, 24)
    there, back = (4 * torch.randn(size, generator=generator) for _ in range(2))
    whole = net.pair(there, back)
    latent = net.latent_at(whole, 0.3)
    read = net.read(latent, 0.3)
    monkeypatch.setattr(motion, "_STRIP_BYTES", 1)
    strips = net.pair(there, back)
    torch.testing.assert_close(strips.latents, whole.latents, atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(net.latent_at(whole, 0.3), latent, atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(net.read(latent, 0.3), read, atol=1e-5, rtol=1e-5)


@pytest.mark.slow
def test_strips_of_the_last_decoder_change_no_pixel() -> None:
    _, end, fields = synthesised(0.4)
    make, source = model().synthesis, tuple(p.source for p in prepared())
    make.strip_bytes = 1
    try:
        strips = make.fields(source, end)  # type: ignore[arg-type]
    finally:
        make.strip_bytes = synthesis.STRIP_BYTES
    torch.testing.assert_close(strips.residual, fields.residual, atol=1e-5, rtol=0)
    torch.testing.assert_close(strips.masks, fields.masks, atol=1e-5, rtol=0)


def test_pair_work_is_done_once_for_all_times(monkeypatch: pytest.MonkeyPatch) -> None:
    net, counts = Gimm(state(), INFO, FLOAT), {"flows": 0, "frames": 0}
    flow_pair = flows()

    def counted_flows(*_: object) -> Any:
        counts["flows"] += 1
        return flow_pair

    def counted_frame(*_: object) -> Tensor:
        counts["frames"] += 1
        return torch.zeros(1, 3, 128, 128)

    monkeypatch.setattr(net, "flows", counted_flows)
    monkeypatch.setattr(net, "_frame", counted_frame)
    assert net.pair(*prepared(), [0.25, 0.5, 0.75]).shape == (3, 3, 128, 128)
    assert counts == {"flows": 1, "frames": 3}


# --- guards ----------------------------------------------------------------------------------


def test_pictures_without_any_motion_give_numbers() -> None:
    net = model().motion
    still = torch.zeros(1, 2, 16, 24)
    pair = net.pair(still, still)
    there, back = net.at(pair, 0.5)
    assert bool(there.isfinite().all())
    assert float(pair.scaler) == pytest.approx(motion.SMALLEST_SCALER)
    assert float(torch.maximum(there.abs().max(), back.abs().max())) < 1e-3


def test_the_ends_are_the_pictures_themselves() -> None:
    a, b = prepared()
    first, second = frames()
    pair = pair_motion()
    for t, wanted in ((0.0, first), (1.0, second)):
        assert torch.equal(model()._frame(a, b, pair, matches(), t), wanted)


@pytest.mark.parametrize(("scale", "rows", "columns"), [(1.0, 128, 160), (0.5, 256, 256)])
def test_small_pictures_are_padded_by_their_edge_never_stretched(
    scale: float, rows: int, columns: int
) -> None:
    net = model().at_scale(scale)
    picture = torch.rand(1, 3, 44, 140)
    padded = net._padded(picture)
    assert padded.shape[-2:] == (rows, columns)
    assert torch.equal(padded[..., :44, :140], picture)
    assert torch.equal(padded[..., 44:, :140], picture[..., 43:, :].expand(-1, -1, rows - 44, -1))


def test_the_coarsest_level_of_the_smallest_picture_has_two_rows() -> None:
    assert pyramid(torch.zeros(1, 4, 16, 16))[-1].shape[-2:] == (2, 2)


def test_other_flow_scales_are_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"0\.25, 0\.5, 1"):
        model().at_scale(2.0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_motion_part_stays_float32_whatever_the_pictures_are(dtype: torch.dtype) -> None:
    net = Gimm(state(), INFO, Tuning(device=CPU, dtype=dtype))
    assert all(w.dtype == torch.float32 for pair in net.motion.layers for w in pair)
    assert net.motion.encoder.steps[0].weight.dtype == torch.float32  # type: ignore[attr-defined]
    assert net.synthesis.last.steps[0].weight.dtype == dtype  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.timeout(900)  # a CPU takes a minute or two in float16
@pytest.mark.parametrize(("dtype", "least"), [(torch.float16, 45), (torch.bfloat16, 28)])
def test_half_precision_stays_near(dtype: torch.dtype, least: float) -> None:
    net = Gimm(state(), INFO, Tuning(device=CPU, dtype=dtype))
    first, second = (net.prepare(picture) for picture in frames())
    half = net.pair(first, second, [0.4]).float().clamp(0, 1)
    exact = model().pair(*prepared(), [0.4]).clamp(0, 1)
    assert -10 * (half - exact).square().mean().log10().item() > least


def test_where_nothing_lands_the_latent_is_exactly_zero() -> None:
    one = torch.ones(1, 1, 4, 4)
    away = torch.full((1, 2, 4, 4), 2.0)
    out = splat(one, away, "linear", one, empty="zero")
    assert out[0, 0, :2].eq(0).all()
    assert out[0, 0, 2:, 2:].eq(1).all()


def test_the_window_is_the_one_the_first_convolution_reads() -> None:
    assert (
        state()["flow_estimator.update_block.encoder.convc1.weight"].shape[1]
        == correlation.CHANNELS
    )
