"""Building blocks of the four networks, and the base class of IFRNet and AMT.

Attributes of modules have the names of the parameters in the published weight files, even where
other names would be clearer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import nn

from rtvfi.models.interpany.parts import Network, joined
from rtvfi.models.warp import enlarge, shrink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from rtvfi.models.interpany.parts import Reference


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """A padded convolution with PReLU; divides the size by ``stride``."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2), nn.PReLU(outputs))


def deconv(inputs: int, outputs: int) -> nn.Sequential:
    """A transposed convolution with PReLU that doubles the size."""
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
    """Computes a residual for the blend from the warped pictures and their warped features.

    Args:
        inputs: number of input channels at full size.
        width: channels of the finest level.
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
        """The residual to add to the blend, (N, 3, H, W) in -1..1.

        Args:
            x: (N, inputs, H, W).
            left: warped features of img0, at 1/2, 1/4, 1/8 and 1/16 of the size.
            right: the same of img1.
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
    """A residual block of five convolutions, two of them only for the last ``side`` channels."""

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
        """(N, channels, H, W) to the same shape."""
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
        """Compute the next finer level."""
        out: Tensor = self.convblock(x)
        return out


class Pyramid(nn.Module):
    """Encoder: features at 1/2, 1/4, 1/8 and 1/16 of the size."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        for level, (inputs, outputs) in enumerate(zip((3, *widths), widths, strict=False), 1):
            pair = nn.Sequential(conv(inputs, outputs, stride=2), conv(outputs, outputs))
            self.add_module(f"pyramid{level}", pair)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features, fine to coarse, of a (N, 3, H, W) picture with its mean subtracted."""
        levels = []
        for stage in self.children():
            image = stage(image)
            levels.append(image)
        return levels


class Views(NamedTuple):
    """The inputs of ``Levels``, computed from two pictures."""

    img0: Tensor
    """img0 with the mean subtracted, full size."""
    img1: Tensor
    mean: Tensor
    """(N, 1, 1, 1)."""
    left: list[Tensor]
    """Features of img0, fine to coarse."""
    right: list[Tensor]
    flow_scale: float


class Levels(Network):
    """Base class of IFRNet and AMT: features at four sizes, and the coarsest decoder."""

    encoder: Pyramid
    decoder4: Decoder

    def views(self, img0: Tensor, img1: Tensor, flow_scale: float) -> Views:
        """Compute what all distance indices between two pictures share."""
        mean = mean_of_both(img0, img1)
        img0, img1 = img0 - mean, img1 - mean
        left, right = (self.encoder(enlarge(image, flow_scale)) for image in (img0, img1))
        return Views(img0, img1, mean, left, right, flow_scale)

    def coarsest(self, views: Views, index: Tensor, reference: Reference | None) -> Tensor:
        """Run the coarsest decoder: flow (four channels, in pixels of that size) and features, at
        1/8 of the size."""
        cell = 16 / views.flow_scale
        parts = [views.left[3], views.right[3]]
        if reference is None:
            seen = joined(*parts, shrink(index, cell))
        else:
            features = self.encoder(enlarge(reference.picture - views.mean, views.flow_scale))[3]
            seen = joined(*parts, features, shrink(index, cell), shrink(reference.gone, cell))
        out: Tensor = self.decoder4(seen)
        return out


def mean_of_both(img0: Tensor, img1: Tensor) -> Tensor:
    """(N, 1, 1, 1): the mean over all colours and pixels of two pictures."""
    return (img0.mean((1, 2, 3), keepdim=True) + img1.mean((1, 2, 3), keepdim=True)) / 2
