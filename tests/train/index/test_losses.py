from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import golden_fill
import pytest
import torch
from models.interpany.networks import golden, inputs, network, run
from torch import Tensor

from rtvfi.core.errors import UsageError
from rtvfi.models.interpany.parts import Reference
from rtvfi.train.index.losses import (
    VGG_FILE,
    census,
    charbonnier,
    laplacian,
    loss_of,
    lpips_loss,
)

if TYPE_CHECKING:
    from pathlib import Path


class FakeLpips(ModuleType):
    """The package, with a sum of squared differences for VGG-16."""

    def __init__(self) -> None:
        super().__init__("lpips")
        self.made: list[dict[str, Any]] = []
        made = self.made

        class LPIPS(torch.nn.Module):
            def __init__(self, **said: Any) -> None:
                super().__init__()
                made.append(said)
                self.scale = torch.nn.Parameter(torch.ones(()))

            def forward(self, in0: Tensor, in1: Tensor, *, normalize: bool) -> Tensor:
                assert normalize  # 0..1, not -1..1
                assert not self.scale.requires_grad  # never trained along
                return (2 * (in0 - in1)).square().mean((2, 3), keepdim=True).sum(1, keepdim=True)

        self.LPIPS = LPIPS


def fake_lpips(monkeypatch: pytest.MonkeyPatch, hub: Path) -> FakeLpips:
    """The package and a file of weights, for as long as a test runs."""
    fake = FakeLpips()
    monkeypatch.setitem(sys.modules, "lpips", fake)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(hub))
    (hub / "checkpoints").mkdir()
    (hub / "checkpoints" / VGG_FILE).write_bytes(b"")
    return fake


def rife_loss(variant: str) -> tuple[dict[str, float], dict[str, float]]:
    meta = golden("rife").meta["loss"]
    size = (meta["h"], meta["w"])
    frames = torch.from_numpy(golden_fill.make_frames(meta["seed"], *size, 3))
    img0, truth, img1 = (frames[k : k + 1] for k in range(3))
    index = torch.from_numpy(golden_fill.make_tmap(35, *size))[None]
    reference = None
    if variant == "T":
        index = torch.full_like(index, meta["t_for_T"])
    if variant == "DR":
        gone = 0.5 * torch.from_numpy(golden_fill.make_tmap(36, *size))[None]
        reference = Reference(img0, gone)
    net = network("rife", variant == "DR").train().requires_grad_(True)
    total, parts = loss_of(net, net.encode(img0, img1), index, reference, truth)
    total.backward()
    wanted = meta["values"][variant]["grad_norm"]
    norms = {
        key: float(p.grad.norm())
        for key, p in net.named_parameters()
        if key in wanted and p.grad is not None
    }
    for parameter in net.parameters():
        parameter.grad = None
    return parts | {"total": float(total.detach())}, norms


@pytest.mark.parametrize("variant", ["T", "D", "DR"])
def test_losses_and_slopes_of_rife_are_the_reference_ones(variant: str) -> None:
    parts, norms = rife_loss(variant)
    wanted = golden("rife").meta["loss"]["values"][variant]
    assert parts["picture"] == pytest.approx(wanted["lap"], rel=1e-4)
    assert parts["teacher"] == pytest.approx(wanted["lap_teacher"], rel=1e-4)
    assert parts["distilled"] == pytest.approx(0.002 * wanted["distill"], rel=1e-4)
    assert parts["total"] == pytest.approx(wanted["total"], rel=1e-4)
    assert norms == pytest.approx(wanted["grad_norm"], rel=2e-3)


def test_losses_of_ifrnet_are_the_reference_ones() -> None:
    given, wanted = inputs("ifrnet", "D.map"), golden("ifrnet").case("loss.D.map")
    seed = golden("ifrnet").case("D.map")["seed"]
    height, width = given.img0.shape[-2:]
    frames = torch.from_numpy(golden_fill.make_frames(seed, height, width, 3))
    with torch.no_grad():
        made = run("ifrnet", "D.map").picture
    assert float(charbonnier(made, frames[1:2])) == pytest.approx(wanted["charbonnier"], rel=1e-4)
    assert float(census(made, frames[1:2])) == pytest.approx(wanted["ternary"], rel=1e-4)


def test_equal_pictures_cost_nothing_but_the_rounding_off() -> None:
    picture = torch.rand(1, 3, 64, 64)
    assert float(laplacian(picture, picture)) == 0
    assert float(census(picture, picture)) == 0
    assert float(charbonnier(picture, picture)) == pytest.approx(1e-3)


# --- LPIPS --------------------------------------------------------------------------------------


def test_lpips_is_refused_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lpips", None)
    with pytest.raises(UsageError, match='package "lpips" cannot be loaded') as refused:
        lpips_loss(0.1, torch.device("cpu"))
    assert "pip install lpips" in str(refused.value.hint)


def test_a_torchvision_of_another_torch_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "lpips.py").write_text("raise RuntimeError('operator nms does not exist')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "lpips", raising=False)
    with pytest.raises(UsageError, match="cannot be loaded: operator nms") as refused:
        lpips_loss(0.1, torch.device("cpu"))
    assert "torchvision that matches this torch" in str(refused.value.hint)


def test_lpips_fetches_no_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = fake_lpips(monkeypatch, tmp_path)
    (tmp_path / "checkpoints" / VGG_FILE).unlink()
    with pytest.raises(UsageError, match="weights of VGG-16") as refused:
        lpips_loss(0.1, torch.device("cpu"))
    assert f"download.pytorch.org/models/{VGG_FILE}" in str(refused.value.hint)
    assert not fake.made


def test_lpips_takes_part_in_the_slopes_with_its_weight(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = fake_lpips(monkeypatch, tmp_path)
    got, truth = torch.full((2, 3, 8, 8), 0.75, requires_grad=True), torch.full((2, 3, 8, 8), 0.25)
    loss = lpips_loss(0.5, torch.device("cpu"))(got, truth)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0.5 * 3)  # by channel, 0.5 times (2 * 0.5)^2
    assert got.grad is not None
    assert float(got.grad.min()) > 0
    assert fake.made == [{"net": "vgg", "verbose": False}]


@pytest.mark.parametrize("name", ["rife", "ifrnet", "ema"])
def test_lpips_is_a_part_of_the_loss_of_every_kind(name: str) -> None:
    first, last, truth = torch.rand(3, 1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    net, index = network(name, False), torch.full((1, 1, 64, 64), 0.5)
    shared = net.encode(first, last)
    before, parts = loss_of(net, shared, index, None, truth)
    assert "lpips" not in parts
    total, parts = loss_of(net, shared, index, None, truth, lambda got, _: 2 + 0 * got.sum())
    assert parts["lpips"] == 2
    assert float((total - before).detach()) == pytest.approx(2, abs=1e-3)
