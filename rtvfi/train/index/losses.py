"""The losses of networks with a distance index, each as in its authors' training.

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
"""Weight of the distillation from RIFE's teacher."""
BETTER: Final = 0.01
"""The teacher's flow is used only where its error is smaller by more than this."""
COARSER: Final = 0.5
"""Weight of the loss of EMA-VFI's intermediate pictures."""
VGG_FILE: Final = "vgg16-397923af.pth"
"""File name of VGG-16's weights in torchvision."""
_BINOMIAL: Final = (1.0, 4.0, 6.0, 4.0, 1.0)


def laplacian(got: Tensor, wanted: Tensor) -> Tensor:
    """Sum of the mean absolute differences of five levels of a Laplacian pyramid, without the
    coarsest remainder.

    Args:
        got: (N, C, H, W), H and W at least 48.
        wanted: the same shape.
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
    """Charbonnier loss: the mean absolute difference, smoothed near 0."""
    return ((got - wanted).square() + 1e-6).sqrt().mean()


def census(got: Tensor, wanted: Tensor) -> Tensor:
    """Census loss: the difference of 7x7 neighbourhoods in which pixels are brighter than the
    centre.
    """
    difference = (_ranks(got) - _ranks(wanted)).square()
    score = (difference / (0.1 + difference)).mean(1, keepdim=True)
    inside = functional.pad(torch.ones_like(score[..., 3:-3, 3:-3]), (3, 3, 3, 3))
    return (score * inside).mean()


def _ranks(image: Tensor) -> Tensor:
    """(N, 49, H, W): every neighbour minus the centre, compressed to -1..1."""
    grey = image.mean(1, keepdim=True)
    around = functional.unfold(grey, 7, padding=3).view(len(grey), 49, *grey.shape[-2:])
    z = around - grey
    return z / (0.81 + z.square()).sqrt()


def distillation(taught: Taught, truth: Tensor) -> Tensor:
    """The difference of all blocks' flows from the teacher's, where the teacher is better."""
    with torch.no_grad():
        best = (taught.teacher_merged - truth).abs().mean(1, keepdim=True)
    total = truth.new_zeros(())
    for flow, merged in zip(taught.estimate.flows, taught.estimate.merged, strict=True):
        with torch.no_grad():
            follows = (merged - truth).abs().mean(1, keepdim=True) > best + BETTER
        apart = (taught.teacher_flow.detach() - flow).square().mean(1, keepdim=True)
        # the derivative of a square root is infinite at 0
        total = total + ((apart + 1e-12).sqrt() * follows).mean()
    return total


def lpips_loss(weight: float, device: torch.device) -> Callable[[Tensor, Tensor], Tensor]:
    """The LPIPS loss with VGG-16, from the package ``lpips``.

    The package would download missing weights, so their file is checked first.

    Args:
        weight: factor of the loss.
        device: where to compute.

    Returns:
        A function of two pictures, each (N, 3, H, W), [0, 1].

    Raises:
        UsageError: the package or VGG's weights are missing.
    """
    try:
        package = import_module("lpips")
    except (ImportError, RuntimeError) as error:  # the latter from torchvision of another torch
        raise UsageError(
            f'--lpips: the package "lpips" cannot be loaded: {error}',
            "pip install lpips, and the torchvision that matches this torch",
        ) from error
    path = Path(torch.hub.get_dir(), "checkpoints", VGG_FILE)
    if not path.is_file():
        raise UsageError(
            f'--lpips needs the weights of VGG-16, but "{path}" does not exist',
            f"download https://download.pytorch.org/models/{VGG_FILE} to that path",
        )
    with warnings.catch_warnings():  # it uses a deprecated interface of torchvision
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
    """The loss, and its parts by name.

    Args:
        net: one of the networks, in training mode.
        shared: the result of its ``encode``.
        index: (N, 1, H, W), the distance index.
        reference: the reference picture, if the network takes one.
        truth: (N, 3, H, W), [0, 1].
        perceptual: an additional loss of picture and truth, the part "lpips".
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
