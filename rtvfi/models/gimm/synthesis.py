"""Synthesises frames along given flows: GIMM-VFI's variant of AMT.

The flows at a time are corrected at a quarter of the size, twice more using correlations of the
pictures, and at full size, where they become three flows to each picture. The frame is the mean of
the results of all three.

Sources: Li et al., "AMT: All-Pairs Multi-Field Transforms for Efficient Frame Interpolation"
(2023), and the paper named in ``motion``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import torch
from torch.nn import functional

from rtvfi.models.gimm.correlation import Correlation, pixel_grid
from rtvfi.models.gimm.layers import (
    Chain,
    Conv,
    Parameters,
    activate,
    conv,
)
from rtvfi.models.strips import enlarged_rows, fetch, in_strips, strip_rows
from rtvfi.models.warp import backwarp, enlarge

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

NUM_FIELDS: Final = 3
"""Number of flows to each picture."""
SIDE: Final = 64
"""Number of last channels that a residual block processes separately."""
REACH: Final = 20
"""Number of rows above and below that a pixel of the last decoder depends on: seventeen successive
convolutions, rounded up to a multiple of 4.
"""
STRIP_BYTES: Final = 2 << 30
"""Memory of one strip of the last decoder."""
STRIP_CHANNELS: Final = 1100
"""Values per pixel that the last decoder has in memory at the same time."""


class Source(NamedTuple):
    """The data of one picture that frames are synthesised from."""

    image: Tensor
    """(1, 3, H, W), [-1, 1], at the size of motion estimation, like all fields."""
    quarter: Tensor
    """(1, 3, H / 4, W / 4): the same picture at a quarter of the size."""
    coarse: Tensor
    """(1, 128, H / 4, W / 4) features."""
    fine: Tensor
    """(1, 64, H, W) features."""
    matching: tuple[Tensor, ...]
    """Pyramid of features, (1, 256, H / 8, W / 8), for correlations."""


class Fields(NamedTuple):
    """The fields that a frame is blended from, at the size of motion estimation, float32."""

    flows: tuple[Tensor, Tensor]
    """(1, 6, H, W) each: three flows to the first and to the second picture, pixels."""
    masks: Tensor
    """(1, 3, H, W), [0, 1]: weight of the first picture for each flow."""
    residual: Tensor
    """(1, 9, H, W): added to the result, three channels per flow."""


class Synthesis:
    """The networks that synthesise frames.

    Args:
        given: parameters.
        strip_bytes: memory of one strip of the last decoder.
    """

    def __init__(self, given: Parameters, strip_bytes: int = STRIP_BYTES) -> None:
        self.dtype = given.tuning.dtype
        self.strip_bytes = strip_bytes
        self.project_coarse = conv(given, "amt_last_cproj")
        self.project_fine = conv(given, "amt_second_last_cproj")
        self.project_matching = conv(given, "amt_fproj")
        self.enlarge_coarse = _enlarging(given, "amt_init_decoder", 1)
        self.enlarge_fine = _enlarging(given, "amt_final_decoder", 2)
        self.first = _decoding(given, "amt_init_decoder")
        self.last = _decoding(given, "amt_final_decoder")
        self.low = _Update(given, "amt_update4_low")
        self.high = _Update(given, "amt_update4_high")
        exact = Parameters(given.state, replace(given.tuning, dtype=torch.float32))
        self.combine = Chain(
            [conv(exact, "amt_comb_block.0"), _slopes(exact), conv(exact, "amt_comb_block.2")]
        )

    def start(self, source: tuple[Source, Source], motion: tuple[Tensor, Tensor]) -> _Coarse:
        """The first correction, at a quarter of the size.

        Args:
            source: both pictures.
            motion: flows from the frame to each picture, (1, 2, H, W), float32.
        """
        flows = [enlarge(flow, 1 / 4) / 4 for flow in motion]
        parts = [s.coarse for s in source] + [s.quarter for s in source]
        fetched = [backwarp(p, f) for p, f in zip(parts, flows * 2, strict=True)]
        quarters = [s.quarter for s in source]
        x = torch.cat(
            [p.to(self.dtype) for p in (*fetched[:2], *flows, *quarters, *fetched[2:])], 1
        )
        out = self.first(x)
        return _Coarse(torch.cat(flows, 1) + out[:, :4].float(), out[:, 4:5], out[:, 5:])

    def corrected(self, start: _Coarse, matches: Matches, t: float) -> _Coarse:
        """Two more corrections, using correlations of the pictures along the flows."""
        flow, feature = start.flow, start.feature
        eighth = enlarge(flow, 1 / 2) / 2
        likeness = matches.around(eighth, t)
        delta, change = self.low(enlarge(feature, 1 / 2), eighth, likeness)
        flow = flow + 2 * enlarge(delta, 2)
        feature = feature + enlarge(change, 2)
        delta, change = self.high(feature, flow, enlarge(likeness, 2))
        return _Coarse(flow + delta, start.mask, feature + change)

    def fields(self, source: tuple[Source, Source], coarse: _Coarse) -> Fields:
        """Run the last decoder at full size, strip by strip."""
        flow, mask = 4 * enlarge(coarse.flow, 4), enlarge(coarse.mask, 4)
        height, width = flow.shape[-2:]

        def decoded(top: int, end: int) -> Tensor:
            flows = flow[:, :, top:end]
            both = (flows[:, :2], flows[:, 2:])
            sources = [s.fine for s in source] + [s.image for s in source]
            fetched = [fetch(p, f, top) for p, f in zip(sources, both * 2, strict=True)]
            parts = [
                enlarged_rows(coarse.feature, 4, top, end),
                *fetched[:2],
                flows,
                mask[:, :, top:end],
                *(s.image[:, :, top:end] for s in source),
                *fetched[2:],
            ]
            return self.last(torch.cat([p.to(self.dtype) for p in parts], 1)).float()

        size = torch.finfo(self.dtype).bits // 8
        rows = strip_rows(width, STRIP_CHANNELS, size, self.strip_bytes)
        out = in_strips(decoded, height, rows, REACH)
        flow_0, flow_1, masks, residual = torch.split(out, [6, 6, 3, 9], 1)
        return Fields(
            (flow_0 + flow[:, :2].repeat(1, 3, 1, 1), flow_1 + flow[:, 2:].repeat(1, 3, 1, 1)),
            (masks + mask.float()).sigmoid_(),
            residual,
        )

    def blend(self, fields: Fields, pictures: tuple[Tensor, Tensor]) -> Tensor:
        """Blend the frame.

        Args:
            fields: the result of ``fields``.
            pictures: (1, 3, H', W'), float32, each, [-1, 1], full size.

        Returns:
            (1, 3, H', W'), float32, about [0, 1], not clamped.
        """
        factor = pictures[0].shape[-1] / fields.masks.shape[-1]
        flows = [factor * enlarge(flow, factor) for flow in fields.flows]
        masks, residual = enlarge(fields.masks, factor), enlarge(fields.residual, factor)
        made = []
        for k in range(NUM_FIELDS):
            left, right = (
                backwarp(picture, flow[:, 2 * k : 2 * k + 2])
                for picture, flow in zip(pictures, flows, strict=True)
            )
            made.append(
                torch.lerp(right, left, masks[:, k : k + 1]) + residual[:, 3 * k : 3 * k + 3]
            )
        out = sum(made[1:], start=made[0]) / NUM_FIELDS + self.combine(torch.cat(made, 1))
        return (out + 1) / 2


class _Coarse(NamedTuple):
    """Flows, mask and features at a quarter of the size."""

    flow: Tensor
    """(1, 4, h, w), float32: flows to both pictures."""
    mask: Tensor
    """(1, 1, h, w), before the sigmoid."""
    feature: Tensor
    """(1, 128, h, w)."""


class Matches:
    """Correlations of two pictures in both directions.

    Args:
        first: pyramid of the first picture's features.
        second: pyramid of the second picture's features.
        volume_bytes: see ``Correlation``; 0 by default, because few correlations are looked up.
    """

    def __init__(
        self, first: tuple[Tensor, ...], second: tuple[Tensor, ...], volume_bytes: int = 0
    ) -> None:
        self.there = Correlation(first[0], second, volume_bytes)
        self.back = Correlation(second[0], first, volume_bytes)
        self.home = pixel_grid(first[0])

    def around(self, flow: Tensor, t: float) -> Tensor:
        """(1, 648, h, w): correlations where the flows at ``t``, extended to full length, point."""
        ahead = self.there(self.home + flow[:, 2:] / (1 - t))
        return torch.cat((ahead, self.back(self.home + flow[:, :2] / t)), 1)


class _Update:
    """Corrects flows and features using correlations."""

    def __init__(self, given: Parameters, name: str) -> None:
        def layer(end: str, *, ends: bool = False) -> Conv:
            return conv(given, f"{name}.{end}", "none" if ends else "leaky")

        self.dtype = given.tuning.dtype
        self.from_likeness = Chain([layer("convc1"), layer("convc2")])
        self.from_flow = Chain([layer("convf1"), layer("convf2")])
        self.both = layer("conv")
        self.body = Chain([layer("gru.0"), layer("gru.2", ends=True)])
        self.features = Chain([layer("feat_head.0"), layer("feat_head.2", ends=True)])
        self.flow = Chain([layer("flow_head.0"), layer("flow_head.2", ends=True)])

    def __call__(self, feature: Tensor, flow: Tensor, likeness: Tensor) -> tuple[Tensor, Tensor]:
        """Changes of the flows, (1, 4, h, w), float32, and of the features, (1, 128, h, w)."""
        moved = flow.to(self.dtype)
        seen = torch.cat((self.from_likeness(likeness.to(self.dtype)), self.from_flow(moved)), 1)
        x = self.body(torch.cat((self.both(seen), moved, feature), 1))
        return self.flow(x).float(), self.features(x)


class _Residual:
    """Five convolutions, the second and fourth of which process only the last channels."""

    def __init__(self, given: Parameters, name: str) -> None:
        self.convs = [conv(given, f"{name}.conv{k}", "prelu") for k in (1, 2, 3, 4)]
        self.last = conv(given, f"{name}.conv5")
        self.slopes = given.tuning.place(given.state[f"{name}.prelu.weight"])

    def __call__(self, x: Tensor) -> Tensor:
        y = x
        for whole, side in (self.convs[:2], self.convs[2:]):
            y = whole(y)
            y[:, -SIDE:] = side(y[:, -SIDE:])
        return activate(self.last(y).add_(x), self.slopes)


def _enlarging(given: Parameters, name: str, num_shuffles: int) -> Chain:
    """A stack that upsamples a picture's features; its batch norm is folded in."""
    stack, first = f"{name}.upsample", num_shuffles
    shuffles: list[Callable[[Tensor], Tensor]] = [_twice_the_size] * num_shuffles
    last = conv(given, f"{stack}.{first + 5}", "relu", norm=f"{stack}.{first + 6}")
    body = [conv(given, f"{stack}.{k}", "prelu") for k in range(first, first + 5)]
    return Chain([*shuffles, *body, last])


def _decoding(given: Parameters, name: str) -> Chain:
    block = f"{name}.convblock"
    return Chain(
        [
            conv(given, f"{block}.0", "prelu"),
            *(_Residual(given, f"{block}.{k}") for k in (1, 2, 3)),
            conv(given, f"{block}.4"),
        ]
    )


def _twice_the_size(x: Tensor) -> Tensor:
    return functional.pixel_shuffle(x, 2)


def _slopes(given: Parameters) -> Callable[[Tensor], Tensor]:
    slopes = given.tuning.place(given.state["amt_comb_block.1.weight"])
    return lambda x: functional.prelu(x, slopes)
