"""What the four networks are made of, and what they have in common.

Parameters carry the names of the published checkpoints, so a module's attributes are named after
them rather than after what they do.

Source of the architectures: Zhong et al., "Clearer Frames, Anytime: Resolving Velocity Ambiguity in
Video Frame Interpolation" (2024).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import torch
from torch import nn

from rtvfi.models.warp import backwarp, enlarge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class Padding:
    """How a network wants its pictures enlarged."""

    multiple: int
    """Both sides become multiples of this; of ``multiple / flow_scale`` below flow scale 1."""
    least: int = 1
    """Both sides become at least this long, divided by the flow scale like ``multiple``."""
    fill: Literal["zero", "replicate"] = "replicate"
    is_centred: bool = True
    """Half of it left and above (the smaller half), else all of it right and below."""


class Reference(NamedTuple):
    """A picture of the same pair whose place is known."""

    picture: Tensor
    """(N, 3, H, W)."""
    gone: Tensor
    """(N, 1, H, W): how far each pixel has gone in it, 0..1."""


class Estimate(NamedTuple):
    """What a network says about one moment."""

    picture: Tensor
    """(N, 3, H, W), 0..1."""
    flows: list[Tensor]
    """Coarse to fine, (N, 4, h, w) float32: from the new frame to img0 and to img1, in pixels of
    the size at hand."""
    merged: list[Tensor] = []  # noqa: RUF012 - never written to
    """Coarse to fine, (N, 3, H, W): both pictures fetched and blended, nothing added."""
    masks: list[Tensor] = []  # noqa: RUF012
    """Coarse to fine, (N, 1, H, W): the weight of img0 in ``merged``."""


class Network(nn.Module):
    """One of the networks.

    What it computes from the two pictures alone is ``encode``; ``decode`` does the rest for one
    distance index. Pictures have sizes that fit ``padding``; nothing is written to.
    """

    padding: ClassVar[Padding]
    has_reference: bool
    """Whether ``decode`` needs a reference (the variants TR and DR)."""

    def encode(self, img0: Tensor, img1: Tensor, flow_scale: float = 1.0) -> Any:
        """What all moments between two pictures share.

        Args:
            img0: (N, 3, H, W), 0..1, in the dtype of the network.
            img1: the same.
            flow_scale: motion is estimated at this share of the size.
        """
        raise NotImplementedError

    def decode(self, shared: Any, index: Tensor, reference: Reference | None = None) -> Estimate:
        """The picture where ``index`` says.

        Args:
            shared: from ``encode``.
            index: (N, 1, H, W) float32: which share of its way from img0 to img1 each pixel has
                gone, on the grid of img0; a time t is the map that is t everywhere.
            reference: where ``has_reference``.
        """
        raise NotImplementedError

    def coarse_flow(self, shared: Any, index: Tensor, reference: Reference | None) -> Tensor:
        """A first, cheap estimate: (N, 4, H, W) float32, full-size pixels, as in ``Estimate``."""
        raise NotImplementedError


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """A convolution that keeps sizes (divided by ``stride``), and learned slopes."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2), nn.PReLU(outputs))


def deconv(inputs: int, outputs: int) -> nn.Sequential:
    """Doubles the size."""
    return nn.Sequential(nn.ConvTranspose2d(inputs, outputs, 4, 2, 1), nn.PReLU(outputs))


class Conv2(nn.Module):
    """Two convolutions, the first of which halves the size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = conv(inputs, outputs, stride=2)
        self.conv2 = conv(outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H/2, W/2)."""
        out: Tensor = self.conv2(self.conv1(x))
        return out


class Unet(nn.Module):
    """What the fetched pictures lack, from themselves and from fetched features.

    Args:
        inputs: channels at full size.
        width: of the finest level; ``w`` below.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        w = width
        self.down0 = Conv2(inputs, 2 * w)
        self.down1 = Conv2(4 * w, 4 * w)
        self.down2 = Conv2(8 * w, 8 * w)
        self.down3 = Conv2(16 * w, 16 * w)
        self.up0 = deconv(32 * w, 8 * w)
        self.up1 = deconv(16 * w, 4 * w)
        self.up2 = deconv(8 * w, 2 * w)
        self.up3 = deconv(4 * w, w)
        self.conv = nn.Conv2d(w, 3, 3, 1, 1)

    def forward(self, x: Tensor, left: Sequence[Tensor], right: Sequence[Tensor]) -> Tensor:
        """What to add to the blend, (N, 3, H, W) in -1..1.

        Args:
            x: (N, inputs, H, W).
            left: features of img0 where the flow points, at 1/2, 1/4, 1/8 and 1/16 of the size.
            right: of img1.
        """
        s0 = self.down0(x)
        s1 = self.down1(torch.cat((s0, left[0], right[0]), 1))
        s2 = self.down2(torch.cat((s1, left[1], right[1]), 1))
        s3 = self.down3(torch.cat((s2, left[2], right[2]), 1))
        y = self.up0(torch.cat((s3, left[3], right[3]), 1))
        y = self.up1(torch.cat((y, s2), 1))
        y = self.up2(torch.cat((y, s1), 1))
        y = self.up3(torch.cat((y, s0), 1))
        return 2 * torch.sigmoid(self.conv(y)) - 1


class ResBlock(nn.Module):
    """Five convolutions, two of which see the last ``side`` channels only."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.side = side
        self.conv1 = conv(channels, channels)
        self.conv2 = conv(side, side)
        self.conv3 = conv(channels, channels)
        self.conv4 = conv(side, side)
        self.conv5 = nn.Conv2d(channels, channels, 3, 1, 1)
        self.prelu = nn.PReLU(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W), the same size out."""
        y = x
        for whole, part in ((self.conv1, self.conv2), (self.conv3, self.conv4)):
            y = whole(y)
            y = torch.cat((y[:, : -self.side], part(y[:, -self.side :])), 1)
        out: Tensor = self.prelu(x + self.conv5(y))
        return out


class Decoder(nn.Module):
    """A level of IFRNet and AMT: (N, inputs, H, W) to (N, outputs, 2H, 2W)."""

    def __init__(self, inputs: int, width: int, outputs: int, side: int) -> None:
        super().__init__()
        self.convblock = nn.Sequential(
            conv(inputs, width),
            ResBlock(width, side),
            nn.ConvTranspose2d(width, outputs, 4, 2, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """One step finer."""
        out: Tensor = self.convblock(x)
        return out


class Pyramid(nn.Module):
    """Features at 1/2, 1/4, 1/8 and 1/16 of the size."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        for level, (inputs, outputs) in enumerate(zip((3, *widths), widths, strict=False), 1):
            pair = nn.Sequential(conv(inputs, outputs, stride=2), conv(outputs, outputs))
            self.add_module(f"pyramid{level}", pair)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Fine to coarse, of (N, 3, H, W) without its mean."""
        levels = []
        for stage in self.children():
            image = stage(image)
            levels.append(image)
        return levels


def joined(*parts: Tensor) -> Tensor:
    """Channels of all parts, in the dtype of the first; a flow among them loses precision here."""
    return torch.cat([part.to(parts[0].dtype) for part in parts], 1)


def fetched(img0: Tensor, img1: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    """Both pictures where a (N, 4, H, W) flow points."""
    return backwarp(img0, flow[:, :2]), backwarp(img1, flow[:, 2:4])


def larger_flow(flow: Tensor, factor: float) -> Tensor:
    """A flow at another size, in pixels of that."""
    return flow if factor == 1 else enlarge(flow, factor) * factor


def mean_of_both(img0: Tensor, img1: Tensor) -> Tensor:
    """(N, 1, 1, 1): the mean over all colours and pixels of two pictures."""
    return (img0.mean((1, 2, 3), keepdim=True) + img1.mean((1, 2, 3), keepdim=True)) / 2
