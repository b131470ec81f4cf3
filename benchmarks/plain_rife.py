"""RIFE 4.x written down as the formulas say it, nothing saved: what ``models.rife.network`` is
measured against.

Both encoders run for every frame; pictures, features, masks and flows exist at full size after
every block and are shrunk from there; every output channel is computed; residual gains, transposed
convolutions and sampling grids are as the formulas have them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from rtvfi.models.rife.shape import ENCODER_NAMES, SHAPES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor


def resize(x: Tensor, factor: float) -> Tensor:
    """Bilinear, corners not aligned."""
    return functional.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


def warp(image: Tensor, flow: Tensor) -> Tensor:
    """Backward warp in float32, border repeated."""
    height, width = image.shape[-2:]
    xs = torch.linspace(-1, 1, width, device=image.device).view(1, 1, 1, width)
    ys = torch.linspace(-1, 1, height, device=image.device).view(1, 1, height, 1)
    grid = torch.cat((xs.expand(1, 1, height, width), ys.expand(1, 1, height, width)), 1)
    flow = flow.float()
    step = torch.cat((flow[:, :1] / ((width - 1) / 2), flow[:, 1:] / ((height - 1) / 2)), 1)
    out = functional.grid_sample(
        image.float(),
        (grid + step).permute(0, 2, 3, 1),
        padding_mode="border",
        align_corners=True,
    )
    return out.to(image.dtype)


class PlainRife:
    """One network.

    Args:
        state: parameters by name, on their device and in their dtype.
        group: the architecture, a key of ``SHAPES``.
        flow_scale: size at which motion is estimated.
    """

    def __init__(self, state: Mapping[str, Tensor], group: str, flow_scale: float = 1.0) -> None:
        self.state = state
        self.shape = SHAPES[group]
        self.scales = [s / flow_scale for s in self.shape.scales]

    def conv(self, name: str, x: Tensor, stride: int = 1) -> Tensor:
        """A 3x3 convolution, grouped as its weight says."""
        weight = self.state[f"{name}.weight"]
        groups = x.shape[1] // weight.shape[1]
        return functional.conv2d(x, weight, self.state[f"{name}.bias"], stride, 1, 1, groups)

    def up(self, name: str, x: Tensor) -> Tensor:
        """A transposed convolution, kernel 4, stride 2."""
        weight, bias = self.state[f"{name}.weight"], self.state[f"{name}.bias"]
        return functional.conv_transpose2d(x, weight, bias, stride=2, padding=1)

    def act(self, name: str, x: Tensor) -> Tensor:
        """The activation after the layer called ``name``."""
        if self.shape.body == "prelu":
            return functional.prelu(x, self.state[f"{name}.weight"])
        return functional.leaky_relu(x, 0.2)

    def encode(self, image: Tensor) -> Tensor:
        """Features of a picture, at its size."""
        first, *middle, last = ENCODER_NAMES[self.shape.encoder]
        x = self.conv(first, image, 2)
        for name in middle:
            x = self.conv(name, functional.leaky_relu(x, 0.2))
        return self.up(last, functional.leaky_relu(x, 0.2) if middle else x)

    def block(self, i: int, x: Tensor, flow: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Increment of the flow, mask logit and feedback, at full size."""
        scale, name = self.scales[i], f"block{i}"
        x = resize(x, 1 / scale)
        if flow is not None:
            x = torch.cat((x, resize(flow, 1 / scale) / scale), 1)
        x = self.act(f"{name}.conv0.0.1", self.conv(f"{name}.conv0.0.0", x, 2))
        start = x = self.act(f"{name}.conv0.1.1", self.conv(f"{name}.conv0.1.0", x, 2))
        for j in range(8):
            layer = f"{name}.convblock.{j}"
            if self.shape.body == "residual":
                x = self.conv(f"{layer}.conv", x) * self.state[f"{layer}.beta"] + x
                x = functional.leaky_relu(x, 0.2)
            else:
                x = self.act(f"{layer}.1", self.conv(f"{layer}.0", x))
        if self.shape.body == "prelu":
            x = x + start
        if self.shape.tail == "shuffle":
            y, factor = functional.pixel_shuffle(self.up(f"{name}.lastconv.0", x), 2), scale
        else:
            y, factor = self.up(f"{name}.lastconv", x), 2 * scale
        y = resize(y, factor)
        return y[:, :4] * factor, y[:, 4:5], y[:, 5:13]

    def __call__(self, img0: Tensor, img1: Tensor, t: float) -> Tensor:
        """(1, 3, H, W) twice, H and W multiples of what the blocks need, to (1, 3, H, W)."""
        time = torch.full_like(img0[:, :1], t)
        features: tuple[Tensor, ...] = ()
        if self.shape.encoder != "none":
            features = (self.encode(img0), self.encode(img1))
        flow, mask, feedback = self.block(0, torch.cat((img0, img1, *features, time), 1), None)
        for i in range(1, len(self.scales)):
            left, right = flow[:, :2], flow[:, 2:]
            parts = [warp(img0, left), warp(img1, right)]
            parts += [warp(f, way) for f, way in zip(features, (left, right), strict=False)]
            parts += [time, mask] + ([feedback] if self.shape.feedback else [])
            increment, new_mask, feedback = self.block(i, torch.cat(parts, 1), flow)
            flow = flow + increment
            mask = mask + new_mask if self.shape.adds_masks else new_mask
        weight = mask.sigmoid()
        return warp(img0, flow[:, :2]) * weight + warp(img1, flow[:, 2:]) * (1 - weight)
