"""EMA-VFI with a distance index: attention between the pictures yields both motion and features.

Three convolutional stages are followed by two stages with attention in windows of 7x7. Every
position of one picture attends to the window of the other picture; the centre of its attention
gives its motion. Two heads compute the flow from that, at 1/16 and 1/8 of the size; only they take
the index. A reference and its index are inputs of the first stage, so the whole network has to run
for every reference.

Source: Zhang et al., "Extracting Motion and Appearance via Inter-Frame Attention for Efficient
Video Frame Interpolation" (2023), as InterpAny-Clearer trains it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from rtvfi.models.interpany.layers import Unet, conv
from rtvfi.models.interpany.parts import Estimate, Network, Padding, fetched, joined, larger_flow
from rtvfi.models.warp import backwarp, enlarge, shrink

if TYPE_CHECKING:
    from torch import Tensor

    from rtvfi.models.interpany.parts import Reference

WIDTHS: Final = (32, 64, 128, 256, 512)
WINDOW: Final = 7
SHIFT: Final = 3
APART: Final = -100.0
"""Added to the attention scores of positions that must not attend to each other."""


class ConvBlock(nn.Module):
    """Two convolutions that keep the size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(*conv(inputs, outputs), *conv(outputs, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        out: Tensor = self.conv(x)
        return out


class CrossScale(nn.Module):
    """Combines the three convolutional stages at 1/8 of the size: (N, 256, H/8, W/8)."""

    def __init__(self) -> None:
        super().__init__()
        one, two, three, four, _ = WIDTHS
        layers = []
        for inputs, stride in ((three, 2), (two, 4), (one, 8)):
            layers += [
                nn.Conv2d(inputs, one, 3, stride, padding=d, dilation=d)
                for d in range(1, stride // 2 + 1)
            ]
        self.layers = nn.ModuleList(layers)
        self.proj = nn.Conv2d(one * len(layers), four, 1)
        self.norm = nn.LayerNorm(four)

    def forward(self, stages: list[Tensor]) -> Tensor:
        """``stages`` fine to coarse."""
        source = [2, 1, 1, 0, 0, 0, 0]
        parts = [layer(stages[k]) for layer, k in zip(self.layers, source, strict=True)]
        return _normed(self.norm, self.proj(torch.cat(parts, 1)))


class Overlap(nn.Module):
    """Overlapping patch embedding that halves the size: (N, 512, H/16, W/16)."""

    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Conv2d(WIDTHS[3], WIDTHS[4], 3, 2, 1)
        self.norm = nn.LayerNorm(WIDTHS[4])

    def forward(self, x: Tensor) -> Tensor:
        """(N, 256, H, W) to (N, 512, H/2, W/2)."""
        return _normed(self.norm, self.proj(x))


def _normed(norm: nn.LayerNorm, x: Tensor) -> Tensor:
    out: Tensor = norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    return out


class Attention(nn.Module):
    """Attention of every position to the same window of the other picture."""

    def __init__(self, dim: int, motion: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(dim, dim)
        self.kv = nn.Linear(dim, 2 * dim)
        self.cor_embed = nn.Linear(2, motion)
        self.proj = nn.Linear(dim, dim)
        self.motion_proj = nn.Linear(motion, motion)

    def forward(
        self, own: Tensor, other: Tensor, places: Tensor, apart: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The attended features (B, 49, dim) and the motion (B, 49, motion).

        Args:
            own: (B, 49, dim) windows.
            other: the same windows of the other picture.
            places: (B, 49, 2), the position of each pixel in the picture, -1..1.
            apart: (windows of a picture, 49, 49), the mask to add to the attention scores.
        """
        q = self._split(self.q(own))
        k, v = (self._split(part) for part in self.kv(other).chunk(2, -1))
        embedded = self.cor_embed(places)
        attention = (q @ k.transpose(-2, -1)) * q.shape[-1] ** -0.5
        if apart is not None:
            per_picture = attention.view(-1, len(apart), *attention.shape[1:])
            attention = (per_picture + apart[:, None]).flatten(0, 1)
        attention = attention.softmax(-1)
        seen = self.proj((attention @ v).transpose(1, 2).flatten(2))
        where = (attention @ self._split(embedded)).transpose(1, 2).flatten(2)
        return seen, self.motion_proj(where - embedded)

    def _split(self, x: Tensor) -> Tensor:
        """(B, 49, channels) to (B, heads, 49, channels / heads)."""
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)


class DepthwiseConv(nn.Module):
    """A depthwise 3x3 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(channels, channels, 3, 1, 1, groups=channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, H, W, channels) to the same shape."""
        out: Tensor = self.dwconv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return out


class Mlp(nn.Module):
    """The feed-forward part, with four times as many channels in the hidden layer."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, 4 * dim)
        self.dwconv = DepthwiseConv(4 * dim)
        self.fc2 = nn.Linear(4 * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(N, H, W, dim) to the same shape."""
        out: Tensor = self.fc2(functional.gelu(self.dwconv(self.fc1(x))))
        return out


class AttentionBlock(nn.Module):
    """Attention in windows, shifted by half a window in every second block.

    Masks prevent attention between parts of a window that are not adjacent in the picture, and to
    padding. The mask of the padding is not shifted with the windows, as in training.
    """

    def __init__(self, dim: int, motion: int, heads: int, shift: int) -> None:
        super().__init__()
        self.shift = shift
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, motion, heads)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = Mlp(dim)

    def forward(self, x: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """Features of the same shape, and motion (2B, H, W, motion).

        Args:
            x: (2B, H, W, dim), first all left pictures, then all right ones.
            places: (2B, H, W, 2).
        """
        height, width = x.shape[1:3]
        fit = (*_halves(-width % WINDOW), *_halves(-height % WINDOW))
        cells = (height + fit[2] + fit[3], width + fit[0] + fit[1])
        apart = self._apart(height, width, fit, x)
        windows, at = (self._windows(v, fit) for v in (x, places))
        own = self.norm1(windows)
        seen, motion = self.attn(own, own.roll(len(own) // 2, 0), at, apart)
        # The residual starts from the normalised windows, unlike in other transformers.
        x = self._whole(own + seen, cells, fit)
        x = x + self.mlp(self.norm2(x))
        return x, self._whole(motion, cells, fit)

    def _windows(self, x: Tensor, fit: tuple[int, int, int, int]) -> Tensor:
        x = functional.pad(x, (0, 0, *fit)).roll((-self.shift, -self.shift), (1, 2))
        return _partition(x)

    def _whole(
        self, windows: Tensor, cells: tuple[int, int], fit: tuple[int, int, int, int]
    ) -> Tensor:
        rows, columns = cells[0] // WINDOW, cells[1] // WINDOW
        x = windows.reshape(-1, rows, columns, WINDOW, WINDOW, windows.shape[-1])
        x = x.transpose(2, 3).reshape(-1, *cells, windows.shape[-1])
        x = x.roll((self.shift, self.shift), (1, 2))
        return x[:, fit[2] : cells[0] - fit[3], fit[0] : cells[1] - fit[1]]

    def _apart(
        self, height: int, width: int, fit: tuple[int, int, int, int], like: Tensor
    ) -> Tensor | None:
        """The attention mask, (windows, 49, 49), 0 or ``APART``; None if none is needed."""
        regions = []
        if any(fit):
            regions.append(
                _regions((fit[2], height, fit[3]), like)[:, None] * 3
                + _regions((fit[0], width, fit[1]), like)
            )
        if self.shift:
            whole = (height + fit[2] + fit[3], width + fit[0] + fit[1])
            rows, columns = (
                _regions((n - WINDOW, WINDOW - self.shift, self.shift), like) for n in whole
            )
            regions.append(rows[:, None] * 3 + columns)
        if not regions:
            return None
        kept = [_partition(region[None, :, :, None])[..., 0] for region in regions]
        differ = [k[:, :, None] != k[:, None, :] for k in kept]
        return (differ[0] | differ[-1]).to(like.dtype) * APART


def _regions(lengths: tuple[int, int, int], like: Tensor) -> Tensor:
    """The values 0, 1 and 2, repeated as often as ``lengths`` says."""
    parts = [torch.full((n,), float(k), device=like.device) for k, n in enumerate(lengths)]
    return torch.cat(parts)


def _halves(total: int) -> tuple[int, int]:
    return total // 2, total - total // 2


def _partition(x: Tensor) -> Tensor:
    """Split into windows: (N, H, W, C) to (N * windows, 49, C)."""
    n, height, width, channels = x.shape
    x = x.reshape(n, height // WINDOW, WINDOW, width // WINDOW, WINDOW, channels)
    return x.transpose(2, 3).reshape(-1, WINDOW * WINDOW, channels)


class Backbone(nn.Module):
    """Computes features and motion of both pictures."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        one, two, three, four, five = WIDTHS
        self.block1 = ConvBlock(inputs, one)
        self.patch_embed2 = conv(one, two, stride=2)
        self.block2 = ConvBlock(two, two)
        self.patch_embed3 = conv(two, three, stride=2)
        self.block3 = ConvBlock(three, three)
        self.norm4 = nn.LayerNorm(four, eps=1e-6)
        self.patch_embed4 = CrossScale()
        self.block4 = nn.ModuleList(
            AttentionBlock(four, four // 4, 8, SHIFT * (i % 2)) for i in range(4)
        )
        self.norm5 = nn.LayerNorm(five, eps=1e-6)
        self.patch_embed5 = Overlap()
        self.block5 = nn.ModuleList(
            AttentionBlock(five, five // 4, 16, SHIFT * (i % 2)) for i in range(4)
        )

    def forward(self, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Features of five stages, fine to coarse, and motion of the last two: 2B pictures each.

        Args:
            x: (2B, inputs, H, W), first all left pictures, then all right ones.
        """
        looks = [self.block1(x)]
        looks.append(self.block2(self.patch_embed2(looks[-1])))
        looks.append(self.block3(self.patch_embed3(looks[-1])))
        motions = []
        for embed, blocks, norm in (
            (self.patch_embed4, self.block4, self.norm4),
            (self.patch_embed5, self.block5, self.norm5),
        ):
            y = embed(looks if embed is self.patch_embed4 else looks[-1]).permute(0, 2, 3, 1)
            places = _places(y)
            found = []
            for block in blocks:
                y, motion = block(y, places)
                found.append(motion)
            looks.append(norm(y).permute(0, 3, 1, 2))
            motions.append(torch.cat(found, -1).permute(0, 3, 1, 2))
        return looks, motions


def _places(like: Tensor) -> Tensor:
    """x and y of each position, from -1 to 1: (N, H, W, 2)."""
    n, height, width, _ = like.shape
    xs = torch.linspace(-1, 1, width, device=like.device).expand(height, width)
    ys = torch.linspace(-1, 1, height, device=like.device)[:, None].expand(height, width)
    return torch.stack((xs, ys), -1).expand(n, -1, -1, -1).to(like.dtype)


class Head(nn.Module):
    """Computes increments of flow and mask from motion and features at 1/scale of the size."""

    def __init__(self, inputs: int, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.conv = nn.Sequential(conv(inputs, 128), conv(128, 128), conv(128, 5))

    def forward(self, features: Tensor, x: Tensor, flow: Tensor | None) -> tuple[Tensor, Tensor]:
        """Increments of the flow (N, 4, H, W), float32, and of the mask logit (N, 1, H, W).

        Args:
            features: at 1/scale.
            x: other inputs at full size.
            flow: the current flow, if any.
        """
        cell = self.scale // 4
        parts = [_shuffled(features), shrink(x, cell)]
        if flow is not None:
            parts.append(larger_flow(flow, 1 / cell))
        y = self.conv(joined(*parts))
        return larger_flow(y[:, :4].float(), cell), enlarge(y[:, 4:5], cell)


def _shuffled(features: Tensor) -> Tensor:
    """Pixel shuffle by 4 in two steps: four times the size, a sixteenth of the channels."""
    return functional.pixel_shuffle(functional.pixel_shuffle(features, 2), 2)


class Shared(NamedTuple):
    """The result of ``EmaNet.encode``."""

    img0: Tensor
    """Full size."""
    img1: Tensor
    looks: list[Tensor]
    """Features at full size; empty with a reference, because they depend on it."""
    motions: list[Tensor]
    coarse_looks: list[Tensor]
    """Features at the size at which motion is estimated."""
    flow_scale: float


class EmaNet(Network):
    """The network of the variants T and D (without reference), TR and DR (with reference).

    At a flow scale other than 1 the backbone runs twice: at that size for the motion, at full size
    for the features to warp.
    """

    padding = Padding(multiple=32)

    def __init__(self, has_reference: bool) -> None:
        super().__init__()
        self.has_reference = has_reference
        self.feature_bone = Backbone(7 if has_reference else 3)
        # looks and motion of both pictures, shuffled to 4 times the size, and what Head adds
        self.block = nn.ModuleList(
            (Head(4 * WIDTHS[4] // 16 + 6, 16), Head(4 * WIDTHS[3] // 16 + 17, 8))
        )
        self.unet = Unet(17 + 2 * WIDTHS[0], 2 * WIDTHS[0])

    def encode(self, img0: Tensor, img1: Tensor, flow_scale: float = 1.0) -> Shared:
        """Compute what all distance indices between two pictures share."""
        if self.has_reference:
            return Shared(img0, img1, [], [], [], flow_scale)
        return self._looked(Shared(img0, img1, [], [], [], flow_scale), img0, img1)

    def decode(self, shared: Shared, index: Tensor, reference: Reference | None = None) -> Estimate:
        """Compute the picture at a distance index; see ``Network.decode``."""
        shared = self._with(shared, reference)
        img0, img1, looks, _, _, scale = shared
        small = (enlarge(img0, scale), enlarge(img1, scale))
        steps = [
            (larger_flow(flow, 1 / scale), enlarge(mask, 1 / scale))
            for flow, mask in self._flow(shared, small, index)
        ]
        flows, masks = zip(*steps, strict=True)
        flow, mask = steps[-1]
        left, right = fetched(img0, img1, flow)
        weight = mask.sigmoid()
        merged = [left * weight + right * (1 - weight)]
        if self.training:  # needed by the training loss only
            merged.insert(0, _blended(img0, img1, *steps[0]))
        around = self._around(looks, flow)
        x = joined(img0, img1, left, right, mask, flow, around[0][0], around[1][0])
        added = self.unet(x, around[0][1:], around[1][1:])
        picture = (merged[-1] + added).clamp(0, 1)
        return Estimate(picture, list(flows), merged, [m.sigmoid() for m in masks])

    def coarse_flow(self, shared: Shared, index: Tensor, reference: Reference | None) -> Tensor:
        """The flow of the first head; see ``Network.coarse_flow``."""
        shared = self._with(shared, reference)
        pictures = [enlarge(image, shared.flow_scale) for image in shared[:2]]
        flow, _ = self.block[0](self._at(shared, 1, index), torch.cat(pictures, 1), None)
        return larger_flow(flow, 1 / shared.flow_scale)

    def _with(self, shared: Shared, reference: Reference | None) -> Shared:
        if reference is None:
            return shared
        distance = reference.gone.to(shared.img0.dtype)
        left = torch.cat((shared.img0, reference.picture, distance), 1)
        right = torch.cat((shared.img1, reference.picture, 1 - distance), 1)
        return self._looked(shared, left, right)

    def _looked(self, shared: Shared, left: Tensor, right: Tensor) -> Shared:
        both, scale = torch.cat((left, right)), shared.flow_scale
        looks, motions = self.feature_bone(enlarge(both, scale))
        full = looks if scale == 1 else self.feature_bone(both)[0]
        return Shared(shared.img0, shared.img1, full, motions, looks, scale)

    def _flow(
        self, shared: Shared, small: tuple[Tensor, Tensor], index: Tensor
    ) -> list[tuple[Tensor, Tensor]]:
        """Flow and mask logit after each head."""
        img0, img1 = small
        flow, mask = self.block[0](self._at(shared, 1, index), joined(img0, img1), None)
        left, right = fetched(img0, img1, flow)
        x = joined(img0, img1, left, right, mask)
        step, mask_step = self.block[1](self._at(shared, 0, index), x, flow)
        return [(flow, mask), (flow + step, mask + mask_step)]

    def _at(self, shared: Shared, stage: int, index: Tensor) -> Tensor:
        """The inputs of a head: motion weighted by the index, and features."""
        left, right = shared.motions[stage].chunk(2)
        gone = functional.interpolate(
            index, left.shape[-2:], mode="bilinear", align_corners=False
        ).to(left.dtype)
        looks = shared.coarse_looks[3 + stage].chunk(2)
        return torch.cat((gone * left, (1 - gone) * right, *looks), 1)

    def _around(self, looks: list[Tensor], flow: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Features of both pictures, warped along the flow, fine to coarse."""
        out: tuple[list[Tensor], list[Tensor]] = ([], [])
        for stage in looks:
            left, right = stage.chunk(2)
            out[0].append(backwarp(left, flow[:, :2]))
            out[1].append(backwarp(right, flow[:, 2:4]))
            flow = larger_flow(flow, 0.5)
        return out


def _blended(img0: Tensor, img1: Tensor, flow: Tensor, mask: Tensor) -> Tensor:
    left, right = fetched(img0, img1, flow)
    return torch.lerp(right, left, mask.sigmoid())
