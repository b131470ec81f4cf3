"""What networks with a distance index are trained to make small, each as its authors did.

Source: section "training" of InterpAny-Clearer's code; Niklaus and Liu (2018) for the Laplacian
pyramid, Meister et al. (2018) for the census.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch
from torch.nn import functional

from rtvfi.core.errors import UsageError
from rtvfi.models.interpany.rife import RifeNet

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from rtvfi.models.interpany.parts import Encoded, Estimate, Network, Reference
    from rtvfi.models.interpany.rife import Taught

LEVELS: Final = 5
DISTILLED: Final = 0.002
"""Weight of what RIFE's teacher says."""
BETTER: Final = 0.01
"""Where the teacher's picture is nearer to the truth by more than this, its flow is followed."""
COARSER: Final = 0.5
"""Weight of the pictures of EMA-VFI's heads."""
VGG_FILE: Final = "vgg16-397923af.pth"
"""VGG-16's weights by the name that torchvision has for them."""
_BINOMIAL: Final = (1.0, 4.0, 6.0, 4.0, 1.0)


def laplacian(got: Tensor, wanted: Tensor) -> Tensor:
    """The mean absolute differences of 5 levels of detail, summed; what is coarser does not count.

    Args:
        got: (N, C, H, W), both sides at least 48.
        wanted: the same.
    """
    rest = got - wanted  # the pyramid is linear
    total = rest.new_zeros(())
    for _ in range(LEVELS):
        small = _smooth(rest, 1)[..., ::2, ::2]
        spread = rest.new_zeros(rest.shape)
        spread[..., ::2, ::2] = small
        total = total + (rest - _smooth(spread, 4)).abs().mean()
        rest = small
    return total


def _smooth(image: Tensor, gain: float) -> Tensor:
    line = image.new_tensor(_BINOMIAL)
    kernel = (line[:, None] * line * (gain / 256)).expand(image.shape[1], 1, 5, 5)
    padded = functional.pad(image, (2, 2, 2, 2), mode="reflect")
    return functional.conv2d(padded, kernel, groups=image.shape[1])


def charbonnier(got: Tensor, wanted: Tensor) -> Tensor:
    """The mean absolute difference, rounded off near 0."""
    return ((got - wanted).square() + 1e-6).sqrt().mean()


def census(got: Tensor, wanted: Tensor) -> Tensor:
    """How much the 7x7 neighbourhoods differ in which pixels are brighter than their centre."""
    difference = (_ranks(got) - _ranks(wanted)).square()
    score = (difference / (0.1 + difference)).mean(1, keepdim=True)
    inside = functional.pad(torch.ones_like(score[..., 3:-3, 3:-3]), (3, 3, 3, 3))
    return (score * inside).mean()


def _ranks(image: Tensor) -> Tensor:
    """(N, 49, H, W): every neighbour minus the centre, squeezed into -1..1."""
    grey = image.mean(1, keepdim=True)
    around = functional.unfold(grey, 7, padding=3).view(len(grey), 49, *grey.shape[-2:])
    z = around - grey
    return z / (0.81 + z.square()).sqrt()


def distillation(taught: Taught, truth: Tensor) -> Tensor:
    """How far the flows of all blocks are from the teacher's, where the teacher is better."""
    with torch.no_grad():
        best = (taught.teacher_merged - truth).abs().mean(1, keepdim=True)
    total = truth.new_zeros(())
    for flow, merged in zip(taught.estimate.flows, taught.estimate.merged, strict=True):
        with torch.no_grad():
            follows = (merged - truth).abs().mean(1, keepdim=True) > best + BETTER
        apart = (taught.teacher_flow.detach() - flow).square().mean(1, keepdim=True)
        # the slope of a root is infinite at 0
        total = total + ((apart + 1e-12).sqrt() * follows).mean()
    return total


def lpips_loss(weight: float, device: torch.device) -> Callable[[Tensor, Tensor], Tensor]:
    """How unlike two pictures are to VGG-16, as the package ``lpips`` measures it.

    Nothing is fetched: the package would, so the file is looked for first.

    Args:
        weight: what the result is multiplied by.
        device: where to compute.

    Returns:
        A function of two pictures, (N, 3, H, W), 0..1.

    Raises:
        UsageError: the package, or VGG's weights, are not here.
    """
    try:
        package = import_module("lpips")
    except (ImportError, RuntimeError) as error:  # the latter from torchvision of another torch
        raise UsageError(
            f'--lpips: the package "lpips" cannot be loaded: {error}',
            "pip install lpips, and the torchvision that goes with this torch",
        ) from error
    path = Path(torch.hub.get_dir(), "checkpoints", VGG_FILE)
    if not path.is_file():
        raise UsageError(
            f'--lpips needs the weights of VGG-16, and "{path}" is not there',
            f"put https://download.pytorch.org/models/{VGG_FILE} there",
        )
    with warnings.catch_warnings():  # it asks torchvision in a way that is going out of use
        warnings.simplefilter("ignore")
        net = package.LPIPS(net="vgg", verbose=False)
    net = net.to(device).eval().requires_grad_(False)

    def loss(got: Tensor, wanted: Tensor) -> Tensor:
        apart: Tensor = net(got, wanted, normalize=True)
        return weight * apart.mean()

    return loss


def loss_of(
    net: Network,
    shared: Encoded,
    index: Tensor,
    reference: Reference | None,
    truth: Tensor,
    perceptual: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> tuple[Tensor, dict[str, float]]:
    """What to make small, and its parts by name.

    Args:
        net: one of the networks, set to train.
        shared: of its ``encode``.
        index: (N, 1, H, W).
        reference: where the network has one.
        truth: (N, 3, H, W).
        perceptual: of the picture and the truth, added as the part "lpips".
    """
    if isinstance(net, RifeNet):
        taught = net.taught(shared, index, reference, truth)
        estimate = taught.estimate
        parts = {
            "picture": laplacian(estimate.picture, truth),
            "teacher": laplacian(taught.teacher_merged, truth),
            "distilled": DISTILLED * distillation(taught, truth),
        }
    else:
        estimate = net.decode(shared, index, reference)
        parts = _parts(estimate, truth)
    if perceptual is not None:
        parts["lpips"] = perceptual(estimate.picture, truth)
    total = torch.stack(list(parts.values())).sum()
    return total, {name: float(part.detach()) for name, part in parts.items()}


def _parts(estimate: Estimate, truth: Tensor) -> dict[str, Tensor]:
    if len(estimate.merged) > 1:  # EMA-VFI
        coarse = torch.stack([laplacian(merged, truth) for merged in estimate.merged]).sum()
        return {"picture": laplacian(estimate.picture, truth), "coarse": COARSER * coarse}
    return {
        "picture": charbonnier(estimate.picture, truth),
        "census": census(estimate.picture, truth),
    }
