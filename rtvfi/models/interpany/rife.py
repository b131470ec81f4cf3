"""RIFE with a distance index: three blocks from coarse to fine, then a refinement network.

The input of each block is both pictures, both warped along the current flow, the index and the mask
of the blend, at the block's size. Each block adds an increment to the flow from the new frame to
img0 and img1. A reference adds four input channels: its picture and its index. A fourth block, the
teacher, takes the true frame and is used in training only.

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
    """Numbers of channels; smaller in a smaller RIFE. All others are derived from them."""

    blocks: tuple[int, int, int] = (240, 150, 90)
    """Channels of the three blocks, even; the teacher has as many as the last."""
    context: int = 16
    """Channels of the finest features, also in the refinement network."""


class IFBlock(nn.Module):
    """A block: computes increments of flow and mask at 1/scale of the size."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.conv0 = nn.Sequential(
            conv(inputs, width // 2, stride=2), conv(width // 2, width, stride=2)
        )
        self.convblock = nn.Sequential(*(conv(width, width) for _ in range(8)))
        self.lastconv = nn.ConvTranspose2d(width, 5, 4, 2, 1)

    def forward(self, x: Tensor, flow: Tensor | None, scale: float) -> tuple[Tensor, Tensor]:
        """The increments of the flow, (N, 4, H, W) float32, and of the mask logit, (N, 1, H, W).

        Args:
            x: the input channels except the flow, (N, C, H, W).
            flow: the current flow, (N, 4, H, W); None in the first block.
            scale: downscaling factor of the inputs.
        """
        x = shrink(x, scale)
        if flow is not None:
            x = joined(x, larger_flow(flow, 1 / scale))
        y = self.conv0(x)
        z = self.lastconv(self.convblock(y) + y)
        step = enlarge(z[:, :4].float(), 2 * scale) * (2 * scale)
        return step, enlarge(z[:, 4:5], 2 * scale)


class Contextnet(nn.Module):
    """Features of one picture at 1/2 to 1/16 of the size, warped along the flow."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = Conv2(3, width)
        self.conv2 = Conv2(width, 2 * width)
        self.conv3 = Conv2(2 * width, 4 * width)
        self.conv4 = Conv2(4 * width, 8 * width)

    def forward(self, image: Tensor, flow: Tensor) -> list[Tensor]:
        """The warped features, fine to coarse.

        Args:
            image: (N, 3, H, W).
            flow: (N, 2, H, W), full-size pixels.
        """
        out = []
        for stage in (self.conv1, self.conv2, self.conv3, self.conv4):
            image = stage(image)
            flow = larger_flow(flow, 0.5)
            out.append(backwarp(image, flow))
        return out


class Shared(NamedTuple):
    """The result of ``RifeNet.encode``: the pictures, and the downscaling factors of the blocks."""

    img0: Tensor
    img1: Tensor
    scales: tuple[float, float, float]


class Taught(NamedTuple):
    """Outputs of network and teacher that the training loss compares."""

    estimate: Estimate
    teacher_flow: Tensor
    """Flow of the teacher, (N, 4, H, W)."""
    teacher_merged: Tensor
    """The pictures warped along that flow and blended, (N, 3, H, W)."""


class RifeNet(Network):
    """The network of the variants T and D (without reference), TR and DR (with reference).

    Args:
        has_reference: see ``Network``.
        widths: numbers of channels; by default those of the published network.
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
        """The pictures and scales; this network shares no computation between distance indices."""
        return Shared(img0, img1, (4 / flow_scale, 2 / flow_scale, 1 / flow_scale))

    def decode(self, shared: Shared, index: Tensor, reference: Reference | None = None) -> Estimate:
        """Compute the picture at a distance index; see ``Network.decode``."""
        estimate, _, _ = self._run(shared, index, reference)
        return estimate

    def coarse_flow(self, shared: Shared, index: Tensor, reference: Reference | None) -> Tensor:
        """The flow of the first block; see ``Network.coarse_flow``."""
        x = joined(shared.img0, shared.img1, _index_channels(index, reference))
        flow, _ = self.block0(x, None, shared.scales[0])
        found: Tensor = flow
        return found

    def taught(
        self, shared: Shared, index: Tensor, reference: Reference | None, truth: Tensor
    ) -> Taught:
        """The result of ``decode``, and that of the teacher, given the true frame (N, 3, H, W)."""
        estimate, mask, channels = self._run(shared, index, reference)
        flow = estimate.flows[-1]
        left, right = fetched(shared.img0, shared.img1, flow)
        x = joined(shared.img0, shared.img1, channels, left, right, mask, truth)
        step, mask_step = self.block_tea(x, flow, 1)
        merged, _ = _merged(shared, flow + step, mask + mask_step)
        return Taught(estimate, flow + step, merged)

    def _run(
        self, shared: Shared, index: Tensor, reference: Reference | None
    ) -> tuple[Estimate, Tensor, Tensor]:
        """The estimate, the last mask logit, and the channels of index and reference."""
        img0, img1, scales = shared
        channels = _index_channels(index, reference)
        flow, mask = self.block0(joined(img0, img1, channels), None, scales[0])
        flows, pictures, masks = [flow], [], []
        for block, scale in zip((self.block1, self.block2), scales[1:], strict=True):
            left, right = fetched(img0, img1, flow)
            weight = mask.sigmoid()
            pictures.append(left * weight + right * (1 - weight))
            masks.append(weight)
            step, mask_step = block(joined(img0, img1, channels, left, right, mask), flow, scale)
            flow, mask = flow + step, mask + mask_step
            flows.append(flow)
        left, right = fetched(img0, img1, flow)
        weight = mask.sigmoid()
        merged = left * weight + right * (1 - weight)
        features = (self.contextnet(img0, flow[:, :2]), self.contextnet(img1, flow[:, 2:4]))
        added = self.unet(joined(img0, img1, left, right, mask, flow), *features)
        picture = (merged + added).clamp(0, 1)
        return Estimate(picture, flows, [*pictures, merged], [*masks, weight]), mask, channels


def _index_channels(index: Tensor, reference: Reference | None) -> Tensor:
    """The channels target index, reference index, reference picture: (N, 1 or 5, H, W)."""
    return index if reference is None else joined(index, reference.gone, reference.picture)


def _merged(shared: Shared, flow: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    left, right = fetched(shared.img0, shared.img1, flow)
    weight = mask.sigmoid()
    return left * weight + right * (1 - weight), weight


def widths_of(state: Mapping[str, Tensor]) -> tuple[bool, RifeWidths]:
    """Whether the network of a state dict takes a reference, and its numbers of channels.

    Raises:
        KeyError: a parameter that shows them is missing.
    """
    blocks = [int(state[f"block{i}.lastconv.weight"].shape[0]) for i in range(3)]
    inputs = int(state["block0.conv0.0.0.weight"].shape[1])
    context = int(state["contextnet.conv1.conv1.0.weight"].shape[0])
    return inputs > 7, RifeWidths((blocks[0], blocks[1], blocks[2]), context)
