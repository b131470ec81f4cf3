from __future__ import annotations

import golden_fill
import pytest
import torch
from models.interpany.networks import golden, inputs, network, run

from rtvfi.models.interpany.parts import Reference
from rtvfi.train.index_losses import census, charbonnier, laplacian, loss_of


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
    total.backward()  # type: ignore[no-untyped-call]
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
