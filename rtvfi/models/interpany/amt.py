"""AMT-S with a distance index: the levels of IFRNet, with correlation lookups to correct the flow.

At three levels the current flow from the new frame is extended to a flow between the pictures
(divided by the index, and by 1 minus the index). The correlation of the features around its target
yields corrections. The last level computes three flows, whose warped pictures are blended.

The correlation of all pairs of pixels of a 1920x1080 picture would take 9 GB, so it is computed for
some rows at a time, and again for every lookup.

Source: Li et al., "AMT: All-Pairs Multi-Field Transforms for Efficient Frame Interpolation" (2023),
as InterpAny-Clearer trains it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from rtvfi.models.interpany.layers import Decoder, Levels, Pyramid
from rtvfi.models.interpany.parts import Estimate, Padding, fetched, joined, larger_flow
from rtvfi.models.warp import enlarge, shrink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from rtvfi.models.interpany.layers import Views
    from rtvfi.models.interpany.parts import Reference

WIDTHS: Final = (20, 32, 44, 56)
SIDE: Final = 20
NUM_FLOWS: Final = 3
RADIUS: Final = 3
LEVELS: Final = 4
"""Number of correlation levels, each half the size of the previous one."""
FEATURES: Final = 84
MOST_PAIRS: Final = 1 << 26
"""Maximum number of correlation values in memory at once: 256 MB in single precision."""
TINY: Final = 1e-6
"""Keeps a division by an index of 0 or 1 finite. Not needed for timesteps, which are in between."""


class Bottleneck(nn.Module):
    """A residual bottleneck block of three convolutions."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        narrow = outputs // 4
        self.conv1 = nn.Conv2d(inputs, narrow, 1)
        self.conv2 = nn.Conv2d(narrow, narrow, 3, stride, 1)
        self.conv3 = nn.Conv2d(narrow, outputs, 1)
        self.downsample = None
        if stride > 1:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride))

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H/stride, W/stride)."""
        y = x
        for layer in (self.conv1, self.conv2, self.conv3):
            y = _normal(layer(y)).relu()
        if self.downsample is not None:
            x = _normal(self.downsample(x))
        return (x + y).relu()


def _normal(x: Tensor) -> Tensor:
    return functional.instance_norm(x)


class MatchEncoder(nn.Module):
    """Features for the correlation, at 1/8 of the size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 7, 2, 3)
        self.layer1 = nn.Sequential(Bottleneck(32, 32, 1), Bottleneck(32, 32, 1))
        self.layer2 = nn.Sequential(Bottleneck(32, 64, 2), Bottleneck(64, 64, 1))
        self.layer3 = nn.Sequential(Bottleneck(64, 96, 2), Bottleneck(96, 96, 1))
        self.conv2 = nn.Conv2d(96, FEATURES, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, 84, H/8, W/8)."""
        y = _normal(self.conv1(x)).relu()
        out: Tensor = self.conv2(self.layer3(self.layer2(self.layer1(y))))
        return out


class Update(nn.Module):
    """Corrections of the features and the flow of one level, from the correlation.

    Args:
        width: channels of the level's features.
        scale: size of the level relative to 1/8 of the picture.
    """

    def __init__(self, width: int, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.convc1 = nn.Conv2d(2 * LEVELS * (2 * RADIUS + 1) ** 2, 64, 1)
        self.convf1 = nn.Conv2d(4, 40, 7, 1, 3)
        self.convf2 = nn.Conv2d(40, 20, 3, 1, 1)
        self.conv = nn.Conv2d(84, 68, 3, 1, 1)
        self.gru = _two(68 + 4 + width, 76, 76)
        self.feat_head = _two(76, 76, width)
        self.flow_head = _two(76, 76, 4)

    def forward(self, features: Tensor, flow: Tensor, similar: Tensor) -> tuple[Tensor, Tensor]:
        """Increments of the features (N, width, h, w) and of the flow (N, 4, h, w), its pixels.

        Args:
            features: (N, width, h, w).
            flow: (N, 4, H/8, W/8), in pixels of 1/8 of the size.
            similar: (N, 392, H/8, W/8).
        """
        flow = flow.to(features.dtype)
        near = _bent(self.convc1(similar))
        moved = _bent(self.convf2(_bent(self.convf1(flow))))
        x = _bent(self.conv(torch.cat((near, moved), 1)))
        g = self.gru(torch.cat((x, flow, shrink(features, self.scale)), 1))
        step = larger_flow(self.flow_head(g).float(), self.scale)
        return enlarge(self.feat_head(g), self.scale), step


def _two(inputs: int, middle: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, middle, 3, 1, 1),
        nn.LeakyReLU(0.1),
        nn.Conv2d(middle, outputs, 3, 1, 1),
    )


def _bent(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, 0.1)


class Shared(NamedTuple):
    """The result of ``AmtNet.encode``."""

    views: Views
    matches: tuple[Tensor, Tensor]
    """Features of each picture for the correlation, (N, 84, H/8, W/8)."""


class AmtNet(Levels):
    """The network of the variants T and D (without reference), TR and DR (with reference).

    Below 128 pixels the coarsest correlation level has one row or column, hence ``padding.least``.

    Args:
        has_reference: see ``Network``.
        margin: added to the index before dividing by it: ``TINY``, or 0 for T.
    """

    padding = Padding(multiple=16, least=128)

    def __init__(self, has_reference: bool, margin: float = TINY) -> None:
        super().__init__()
        self.has_reference = has_reference
        self.margin = margin
        one, two, three, four = WIDTHS
        self.feat_encoder = MatchEncoder()
        self.encoder = Pyramid(WIDTHS)
        first = 3 * four + 2 if has_reference else 2 * four + 1
        self.decoder4 = Decoder(first, 112, three + 4, SIDE)
        self.decoder3 = Decoder(3 * three + 4, 132, two + 4, SIDE)
        self.decoder2 = Decoder(3 * two + 4, 96, one + 4, SIDE)
        self.decoder1 = Decoder(3 * one + 4, 60, 8 * NUM_FLOWS, SIDE)
        self.update4 = Update(three, 1)
        self.update3 = Update(two, 2)
        self.update2 = Update(one, 4)
        self.comb_block = nn.Sequential(
            nn.Conv2d(3 * NUM_FLOWS, 6 * NUM_FLOWS, 3, 1, 1),
            nn.PReLU(6 * NUM_FLOWS),
            nn.Conv2d(6 * NUM_FLOWS, 3, 3, 1, 1),
        )

    def encode(self, img0: Tensor, img1: Tensor, flow_scale: float = 1.0) -> Shared:
        """Compute what all distance indices between two pictures share."""
        views = self.views(img0, img1, flow_scale)
        small = [enlarge(image, flow_scale) for image in (views.img0, views.img1)]
        return Shared(views, (self.feat_encoder(small[0]), self.feat_encoder(small[1])))

    def decode(self, shared: Shared, index: Tensor, reference: Reference | None = None) -> Estimate:
        """Compute the picture at a distance index; see ``Network.decode``."""
        views = shared.views
        gone = shrink(index, 8 / views.flow_scale).float()
        out = self.coarsest(views, index, reference)
        flow, features = out[:, :4].float(), out[:, 4:]
        flows = []
        for level, update, decoder in (
            (2, self.update4, self.decoder3),
            (1, self.update3, self.decoder2),
            (0, self.update2, self.decoder1),
        ):
            at_eighth = larger_flow(flow, 1 / update.scale)
            similar = self._similar(shared.matches, at_eighth, gone)
            feature_step, flow_step = update(features, at_eighth, similar.to(features.dtype))
            flow, features = flow + flow_step, features + feature_step
            flows.append(flow)
            around = fetched(views.left[level], views.right[level], flow)
            out = decoder(joined(features, *around, flow))
            if level:
                flow, features = out[:, :4].float() + larger_flow(flow, 2), out[:, 4:]
        return self._picture(views, flows, larger_flow(flow, 2), out)

    def coarse_flow(self, shared: Shared, index: Tensor, reference: Reference | None) -> Tensor:
        """The flow of the coarsest level, corrected once at 1/8 of the size; see ``Network``."""
        views = shared.views
        out = self.coarsest(views, index, reference)
        flow = out[:, :4].float()
        similar = self._similar(shared.matches, flow, shrink(index, 8 / views.flow_scale).float())
        _, step = self.update4(out[:, 4:], flow, similar.to(out.dtype))
        return larger_flow(flow + step, 8 / views.flow_scale)

    def _similar(self, matches: tuple[Tensor, Tensor], flow: Tensor, gone: Tensor) -> Tensor:
        """Correlation from img0 to img1 and from img1 to img0: (N, 392, h, w)."""
        forth = flow[:, 2:4] / (gone + self.margin)
        back = flow[:, :2] / (1 - gone + self.margin)
        img0, img1 = matches
        return torch.cat((similarities(img0, img1, forth), similarities(img1, img0, back)), 1)

    def _picture(self, views: Views, flows: list[Tensor], coarse: Tensor, out: Tensor) -> Estimate:
        back = 1 / views.flow_scale
        n, split = NUM_FLOWS, 2 * NUM_FLOWS
        steps = out[:, : 2 * split].float()
        to_img0 = larger_flow(steps[:, :split] + coarse[:, :2].repeat(1, n, 1, 1), back)
        to_img1 = larger_flow(steps[:, split:] + coarse[:, 2:].repeat(1, n, 1, 1), back)
        masks = enlarge(out[:, 2 * split : 2 * split + n].sigmoid(), back)
        added = enlarge(out[:, 2 * split + n :], back)
        pictures = []
        for k in range(n):
            flow = torch.cat((to_img0[:, 2 * k : 2 * k + 2], to_img1[:, 2 * k : 2 * k + 2]), 1)
            left, right = fetched(views.img0, views.img1, flow)
            mask = masks[:, k : k + 1]
            blend = left * mask + right * (1 - mask) + views.mean
            pictures.append(blend + added[:, 3 * k : 3 * k + 3])
            flows = [*flows, flow]
        mean = torch.stack(pictures).mean(0)
        picture = (mean + self.comb_block(torch.cat(pictures, 1))).clamp(0, 1)
        return Estimate(picture, flows, [mean], [masks])


def similarities(here: Tensor, there: Tensor, flow: Tensor) -> Tensor:
    """The correlation of each pixel of one picture with the pixels around the target of a flow.

    Args:
        here: (N, C, h, w) features.
        there: (N, C, h, w) features of the other picture, both sides at least 16.
        flow: (N, 2, h, w) float32, pixels of that size.

    Returns:
        (N, 4 * 49, h, w) in the dtype of ``here``: for each of 4 sizes of ``there``, the dot
        products divided by sqrt(C) at offsets -3..3, 0 outside the picture. Channel ``7 * i + j``
        of a size has the x offset ``i - 3`` and the y offset ``j - 3``, as in training.
    """
    batch, channels, height, width = here.shape
    queries = here.flatten(2).transpose(1, 2) / channels**0.5
    levels = [there]
    for _ in range(LEVELS - 1):
        levels.append(functional.avg_pool2d(levels[-1], 2))
    ys, xs = torch.meshgrid(
        torch.arange(height, device=flow.device, dtype=torch.float32),
        torch.arange(width, device=flow.device, dtype=torch.float32),
        indexing="ij",
    )
    places = torch.stack((xs, ys))[None] + flow
    points = places.flatten(2).transpose(1, 2)
    total = height * width
    chunk = max(1, MOST_PAIRS // (batch * total))
    bounds = [*range(0, total, chunk), total]
    out = [_looked_up(queries[:, a:b], levels, points[:, a:b]) for a, b in pairwise(bounds)]
    return torch.cat(out, 1).transpose(1, 2).reshape(batch, -1, height, width)


def _looked_up(queries: Tensor, levels: Sequence[Tensor], points: Tensor) -> Tensor:
    """The correlation, (N, P, 196), of (N, P, C) queries around (N, P, 2) points."""
    batch, count, _ = queries.shape
    steps = torch.arange(-RADIUS, RADIUS + 1, device=points.device, dtype=torch.float32)
    offsets = torch.stack(torch.meshgrid(steps, steps, indexing="ij"), -1)
    side = 2 * RADIUS + 1
    found = []
    for level, features in enumerate(levels):
        rows, columns = features.shape[-2:]
        pairs = (queries @ features.flatten(2)).reshape(batch * count, 1, rows, columns)
        at = points.reshape(-1, 1, 1, 2) / 2**level + offsets
        size = at.new_tensor([columns - 1, rows - 1])
        window = functional.grid_sample(
            pairs.float(), 2 * at / size - 1, mode="bilinear", align_corners=True
        )
        found.append(window.reshape(batch, count, side * side))
    return torch.cat(found, 2)
