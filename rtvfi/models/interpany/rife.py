"""RIFE with a distance index: three blocks from coarse to fine, then a network that repairs.

Each block sees both pictures, both as fetched so far, the index and the blend's mask at its own
size, and adds to the flow from the new frame to img0 and img1. With a reference, its picture and
its own index are four more channels beside the index. A fourth block, the teacher, sees the true
frame; only training asks it.

Source: Huang et al., "Real-Time Intermediate Flow Estimation for Video Frame Interpolation" (2022),
in the form of 2021 that InterpAny-Clearer trains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torch import nn

from rtvfi.models.interpany.layers import Conv2, Unet, conv
from rtvfi.models.interpany.parts import Estimate, Network, Padding, fetched, joined, larger_flow
from rtvfi.models.warp import backwarp, enlarge, shrink

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from rtvfi.models.interpany.parts import Reference


class RifeWidths(NamedTuple):
    """What a smaller RIFE has less of; the rest follows."""

    blocks: tuple[int, int, int] = (240, 150, 90)
    """Channels of the three blocks, even; the teacher has those of the last."""
    context: int = 16
    """Channels of the finest features, in the repairing network too."""


class IFBlock(nn.Module):
    """A flow and a mask increment from a picture of 1/scale of the size."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.conv0 = nn.Sequential(
            conv(inputs, width // 2, stride=2), conv(width // 2, width, stride=2)
        )
        self.convblock = nn.Sequential(*(conv(width, width) for _ in range(8)))
        self.lastconv = nn.ConvTranspose2d(width, 5, 4, 2, 1)

    def forward(self, x: Tensor, flow: Tensor | None, scale: float) -> tuple[Tensor, Tensor]:
        """Full-size flow (N, 4, H, W) float32 and mask logit (N, 1, H, W).

        Args:
            x: (N, inputs without flow, H, W).
            flow: so far, (N, 4, H, W).
            scale: what the block sees is shrunk by this.
        """
        x = shrink(x, scale)
        if flow is not None:
            x = joined(x, larger_flow(flow, 1 / scale))
        y = self.conv0(x)
        z = self.lastconv(self.convblock(y) + y)
        step = enlarge(z[:, :4].float(), 2 * scale) * (2 * scale)
        return step, enlarge(z[:, 4:5], 2 * scale)


class Contextnet(nn.Module):
    """Features of one picture where the flow points, at 1/2 to 1/16 of the size."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = Conv2(3, width)
        self.conv2 = Conv2(width, 2 * width)
        self.conv3 = Conv2(2 * width, 4 * width)
        self.conv4 = Conv2(4 * width, 8 * width)

    def forward(self, image: Tensor, flow: Tensor) -> list[Tensor]:
        """Fine to coarse; ``flow`` is (N, 2, H, W)."""
        out = []
        for stage in (self.conv1, self.conv2, self.conv3, self.conv4):
            image = stage(image)
            flow = larger_flow(flow, 0.5)
            out.append(backwarp(image, flow))
        return out


class Shared(NamedTuple):
    """What ``RifeNet.encode`` gives: the pictures, and at which sizes to look for motion."""

    img0: Tensor
    img1: Tensor
    scales: tuple[float, float, float]


class Taught(NamedTuple):
    """What training compares."""

    estimate: Estimate
    teacher_flow: Tensor
    """(N, 4, H, W)."""
    teacher_merged: Tensor
    """(N, 3, H, W)."""


class RifeNet(Network):
    """T and D without reference, TR and DR with.

    Args:
        has_reference: see there.
        widths: of a smaller network than the published one.
    """

    padding = Padding(multiple=32, fill="zero", is_centred=False)

    def __init__(self, has_reference: bool, widths: RifeWidths | None = None) -> None:
        super().__init__()
        self.has_reference = has_reference
        blocks, context = widths or RifeWidths()
        index = 5 if has_reference else 1
        self.block0 = IFBlock(6 + index, blocks[0])
        self.block1 = IFBlock(17 + index, blocks[1])
        self.block2 = IFBlock(17 + index, blocks[2])
        self.block_tea = IFBlock(20 + index, blocks[2])
        self.contextnet = Contextnet(context)
        self.unet = Unet(17, context)

    def encode(self, img0: Tensor, img1: Tensor, flow_scale: float = 1.0) -> Shared:
        """What all moments between two pictures share."""
        return Shared(img0, img1, (4 / flow_scale, 2 / flow_scale, 1 / flow_scale))

    def decode(self, shared: Shared, index: Tensor, reference: Reference | None = None) -> Estimate:
        """The picture where ``index`` says."""
        estimate, _, _ = self._run(shared, index, reference)
        return estimate

    def coarse_flow(self, shared: Shared, index: Tensor, reference: Reference | None) -> Tensor:
        """See ``Network``: what the first block says."""
        x = joined(shared.img0, shared.img1, _told(index, reference))
        flow, _ = self.block0(x, None, shared.scales[0])
        found: Tensor = flow
        return found

    def taught(
        self, shared: Shared, index: Tensor, reference: Reference | None, truth: Tensor
    ) -> Taught:
        """As ``decode``, and what the teacher says, who sees the true frame (N, 3, H, W)."""
        estimate, mask, told = self._run(shared, index, reference)
        flow = estimate.flows[-1]
        left, right = fetched(shared.img0, shared.img1, flow)
        x = joined(shared.img0, shared.img1, told, left, right, mask, truth)
        step, mask_step = self.block_tea(x, flow, 1)
        merged, _ = _merged(shared, flow + step, mask + mask_step)
        return Taught(estimate, flow + step, merged)

    def _run(
        self, shared: Shared, index: Tensor, reference: Reference | None
    ) -> tuple[Estimate, Tensor, Tensor]:
        """The estimate, the last mask logit, and what was said of the moment."""
        img0, img1, scales = shared
        told = _told(index, reference)
        flow, mask = self.block0(joined(img0, img1, told), None, scales[0])
        flows, pictures, masks = [flow], [], []
        for block, scale in zip((self.block1, self.block2), scales[1:], strict=True):
            left, right = fetched(img0, img1, flow)
            weight = mask.sigmoid()
            pictures.append(left * weight + right * (1 - weight))
            masks.append(weight)
            step, mask_step = block(joined(img0, img1, told, left, right, mask), flow, scale)
            flow, mask = flow + step, mask + mask_step
            flows.append(flow)
        left, right = fetched(img0, img1, flow)
        weight = mask.sigmoid()
        merged = left * weight + right * (1 - weight)
        features = (self.contextnet(img0, flow[:, :2]), self.contextnet(img1, flow[:, 2:4]))
        added = self.unet(joined(img0, img1, left, right, mask, flow), *features)
        picture = (merged + added).clamp(0, 1)
        return Estimate(picture, flows, [*pictures, merged], [*masks, weight]), mask, told


def _told(index: Tensor, reference: Reference | None) -> Tensor:
    """(N, 1 or 5, H, W): target index, reference index, reference picture."""
    return index if reference is None else joined(index, reference.gone, reference.picture)


def _merged(shared: Shared, flow: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    left, right = fetched(shared.img0, shared.img1, flow)
    weight = mask.sigmoid()
    return left * weight + right * (1 - weight), weight


def widths_of(state: Mapping[str, Tensor]) -> tuple[bool, RifeWidths]:
    """Whether a state dict is of a network with reference, and its widths.

    Raises:
        KeyError: a parameter that tells them is missing.
    """
    blocks = [int(state[f"block{i}.lastconv.weight"].shape[0]) for i in range(3)]
    inputs = int(state["block0.conv0.0.0.weight"].shape[1])
    context = int(state["contextnet.conv1.conv1.0.weight"].shape[0])
    return inputs > 7, RifeWidths((blocks[0], blocks[1], blocks[2]), context)
