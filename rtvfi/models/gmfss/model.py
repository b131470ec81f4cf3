"""GMFSS and GMFSS union: splats both pictures and their features to the new time and fuses them.

Everything but the features is computed at half size. Once per picture: features, the half-size
picture, inputs of matching and of RIFE. Once per pair: both flows and both metrics. Once per
output: splatting, RIFE's picture (union) and the fusion network.

Source: 98mxr/GMFSS_Fortuna and routineLife1/DRBA (MIT). The originals resize pictures to the size
they need; this implementation pads them by repeating the border, and crops the result.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import torch
from torch.nn import functional

from rtvfi.models.gmfss.feature import FeatureNet
from rtvfi.models.gmfss.fusion import GridNet
from rtvfi.models.gmfss.gmflow import GmFlow, Matchable
from rtvfi.models.gmfss.metric import MetricNet
from rtvfi.models.gmfss.ratios import reached, rife_steps, splat_steps, swapped
from rtvfi.models.gmfss.shape import detect, part_of
from rtvfi.models.memory import MemoryCheck, Need
from rtvfi.models.rife.network import Rife
from rtvfi.models.rife.rows import RIFE_GROUPS, ROWS
from rtvfi.models.scaled import Scaled
from rtvfi.models.triple import Triples
from rtvfi.models.warp import enlarge, shrink, splat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from rtvfi.models.base import ModelInfo
    from rtvfi.models.family import State
    from rtvfi.models.rife.network import RifePrepared
    from rtvfi.models.triple import Both, Three
    from rtvfi.models.triple import Side as Make
    from rtvfi.models.tuning import Tuning

SMALLEST = 128
"""Minimum size in pixels at flow scale 1; below, the windows of the transformer would be 1 pixel.
"""
LARGEST_METRIC = 60.0
"""With it, e^metric is finite in float32, even summed over thousands of pixels splatted to one."""


_FIXED: Final = 600 << 20
"""Bytes that do not depend on the picture: parameters, pieces of tables, memory of libraries."""
_OF_PIXEL, _OF_MOTION = 1400, 400
"""Bytes per pixel of the padded picture, and per pixel of the size at which motion is estimated.
Chosen from measurements in float32 with three pictures at 640x384, 1280x768 and (scale 0.5)
2560x1440, 10 to 25 % above the peak; half precision needs less."""


def needed_bytes(height: int, width: int, scale: float) -> int:
    """An upper bound of the memory, in bytes, for three padded pictures at a flow scale."""
    return int(_FIXED + height * width * (_OF_PIXEL + _OF_MOTION * scale**2))


class GmfssPrepared(NamedTuple):
    """A prepared picture; H and W are the size of the padded picture."""

    image: Tensor
    """The original picture, (1, 3, h, w)."""
    half: Tensor
    """(1, 3, H/2, W/2) float32."""
    features: tuple[Tensor, Tensor, Tensor]
    """The features of ``FeatureNet`` at three sizes."""
    matchable: Matchable
    rife: RifePrepared | None


class GmfssLink(NamedTuple):
    """The motion between two pictures, at half size, float32."""

    ab: Tensor
    """(1, 2, H/2, W/2), pixels: the flow from the left to the right picture, on the left grid."""
    ba: Tensor
    """The flow from the right to the left picture."""
    metric_a: Tensor
    """(1, 1, H/2, W/2): the metric of the left picture, see ``MetricNet``."""
    metric_b: Tensor


class Side(NamedTuple):
    """One picture and its flow to the new time."""

    picture: GmfssPrepared
    flow: Tensor
    """To the new time."""
    metric: Tensor


class Gmfss(Scaled, Triples[GmfssPrepared, GmfssLink]):
    """A ``TripleInterpolator``; with three pictures, timesteps are those of DRBA.

    Args:
        state: parameters by part and name, see ``shape``; other arguments and errors as in
            ``Scaled``.
        metric_tanh: see ``MetricNet``.
    """

    def __init__(
        self,
        state: State,
        info: ModelInfo,
        tuning: Tuning,
        *,
        metric_tanh: bool,
        flow_scale: float = 1.0,
    ) -> None:
        self.metric_tanh = metric_tanh
        super().__init__(state, info, tuning, flow_scale=flow_scale)

    def _load(self, state: State) -> None:
        tuning = self.tuning
        self.network, self.group = detect(state)
        self.gmflow = GmFlow(part_of(state, "flownet"), _exact_enough(tuning))
        self.metric_net = MetricNet(part_of(state, "metric"), tuning, has_tanh=self.metric_tanh)
        self.feature_net = FeatureNet(part_of(state, "feat"), tuning)
        self.fusion_net = GridNet(part_of(state, "fusionnet"), tuning)
        self._memory = MemoryCheck(Need("GMFSS", needed_bytes, (0.25, 0.5)), tuning.device)
        self.rife = None
        if self.group:
            version = RIFE_GROUPS[self.group][0].split()[0]
            row = next(row for row in ROWS if row.id == f"rife-{version}")
            self.rife = Rife(part_of(state, "rife"), row, tuning)

    def _set_flow_scale(self, flow_scale: float) -> None:
        super()._set_flow_scale(flow_scale)
        # The union with RIFE 4.6 was trained with the scales of RIFE unchanged.
        if self.rife is not None and self.group != "4.6":
            self.rife = self.rife.at_scale(flow_scale)

    @property
    def lighter(self) -> Rife | None:
        """The RIFE contained in GMFSS union; None without one. See ``base.HasLighter``."""
        return self.rife

    def prepare(self, frame: Tensor) -> GmfssPrepared:
        """Compute everything that depends only on one (1, 3, h, w) picture, clamped to [0, 1].

        Raises:
            OutOfMemory: too little memory is free; checked for the first picture of each size.
        """
        image = frame.to(self.tuning.dtype).clamp(0, 1)
        whole = self._padded(image).float()
        self._memory.check(whole.shape[-2:], self.flow_scale)
        half = shrink(whole, 2)
        return GmfssPrepared(
            image,
            half,
            self.feature_net(whole),
            self.gmflow.features(enlarge(half, self.flow_scale)),
            None if self.rife is None else self.rife.prepare(half),
        )

    def _padded(self, image: Tensor) -> Tensor:
        least = int(SMALLEST / min(self.flow_scale, 1))
        height, width = (max(n + -n % self._multiple, least) for n in image.shape[-2:])
        more = (0, width - image.shape[-1], 0, height - image.shape[-2])
        return functional.pad(image, more, mode="replicate")

    def link(self, a: GmfssPrepared, b: GmfssPrepared) -> GmfssLink:
        """Compute flows and metrics of two neighbours."""
        ab, ba = (
            enlarge(flow, 1 / self.flow_scale) / self.flow_scale
            for flow in self.gmflow.flows(a.matchable, b.matchable)
        )
        metrics = self.metric_net(a.half, b.half, ab, ba)
        # Avoid infinity divided by infinity on pictures unlike those of the training.
        return GmfssLink(ab, ba, *(metric.clamp(max=LARGEST_METRIC) for metric in metrics))

    def pair(self, a: GmfssPrepared, b: GmfssPrepared, ts: Sequence[float | Tensor]) -> Tensor:
        """Interpolate at the timesteps: (len(ts), 3, h, w), in the dtype of the network."""
        return self.between(a, b, self.link(a, b), [float(t) for t in ts])

    def between(
        self, a: GmfssPrepared, b: GmfssPrepared, link: GmfssLink, ts: Sequence[float]
    ) -> Tensor:
        """``pair`` with flows and metrics computed already."""
        out = []
        for t in ts:
            # One by one: a batch would multiply the memory without being faster.
            rife = None
            if self.rife is not None:
                assert a.rife is not None
                assert b.rife is not None
                rife = self.rife.pair(a.rife, b.rife, [t])
            out.append(self.fused(sides((a, b), link, (t, 1 - t)), rife))
        return torch.cat(out)

    def shown(self, picture: GmfssPrepared) -> Tensor:
        """The original picture of a prepared one, (1, 3, h, w)."""
        return picture.image

    def _sides(self, frames: Three[GmfssPrepared], links: Both[GmfssLink]) -> Make:
        left, centre, right = frames
        to_left, to_right = reversed_link(links[0]), links[1]

        def make(sign: int, near: list[float]) -> Tensor:
            side, link, far = (
                (left, to_left, to_right.ab) if sign < 0 else (right, to_right, to_left.ab)
            )
            return torch.cat([self._beside(centre, side, link, far, abs(t - 1)) for t in near])

        return make

    def _beside(
        self, centre: GmfssPrepared, side: GmfssPrepared, link: GmfssLink, far: Tensor, u: float
    ) -> Tensor:
        """The picture at a distance ``u`` from the centre; ``link`` starts at the centre."""
        steps = splat_steps(u, link.ab, far, link.metric_a)
        rife = None
        if self.rife is not None:
            assert centre.rife is not None
            assert side.rife is not None
            times = rife_steps(u, link.ab, far, link.metric_a)
            rife = self.rife.pair(centre.rife, side.rife, [times])
        both = sides((centre, side), link, steps)
        return self.fused(both, rife, steps if rife is not None else None)

    def fused(
        self,
        both: tuple[Side, Side],
        rife: Tensor | None,
        steps: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """Compute the new picture.

        Args:
            both: the two pictures with their flows to the new time.
            rife: for union, RIFE's picture of that time, (1, 3, H/2, W/2).
            steps: maps of the share of its flow by which each side is moved, (1, 1, H/2, W/2),
                to use only one side where the other was moved much further; None: never.

        Returns:
            (1, 3, h, w), [0, 1], of the size of the original picture.
        """
        images, features = self._landed(both, steps)
        if rife is None:
            halves = [side.picture.half for side in both]
            seen = torch.cat((halves[0], *images, halves[1]), 1)
        else:
            seen = torch.cat((images[0], rife.float(), images[1]), 1)
        height, width = both[0].picture.image.shape[-2:]
        return self.fusion_net(seen, features)[..., :height, :width].clamp(0, 1)

    def _landed(
        self, both: tuple[Side, Side], steps: tuple[Tensor, Tensor] | None
    ) -> tuple[list[Tensor], tuple[Tensor, Tensor, Tensor]]:
        """Splat the pictures, and the features of both at three sizes."""
        first, second = (
            self._splat_level(side, 0, None if steps is None else steps[i])
            for i, side in enumerate(both)
        )
        come = None
        if steps is not None:
            come = reached(first[:, -2:], second[:, -2:])
            first, second = swapped(first[:, :-2], second[:, :-2], come)
        images = [first[:, :3], second[:, :3]]
        dtype = self.tuning.dtype
        levels = [torch.cat((first[:, 3:], second[:, 3:]), 1).to(dtype)]
        for level in (1, 2):
            first, second = (self._splat_level(side, level) for side in both)
            if come is not None:
                cell = 2**level
                first, second = swapped(
                    first, second, (shrink(come[0], cell), shrink(come[1], cell))
                )
            levels.append(torch.cat((first, second), 1).to(dtype))
        return images, (levels[0], levels[1], levels[2])

    def _splat_level(self, side: Side, level: int, steps: Tensor | None = None) -> Tensor:
        """Splat the features of one size; at the largest size also the picture (before them), and
        ``steps`` and ones (after them).

        They share flow and metric, so one splat moves them together.
        """
        cell = 2**level
        flow, metric = shrink(side.flow, cell) / cell, shrink(side.metric, cell)
        values = side.picture.features[level].float()
        if level == 0:
            more = [] if steps is None else [steps, torch.ones_like(steps)]
            values = torch.cat((side.picture.half, values, *more), 1)
        return splat(values, flow, "soft", metric)


def reversed_link(link: GmfssLink) -> GmfssLink:
    """The link with the two pictures swapped."""
    return GmfssLink(link.ba, link.ab, link.metric_b, link.metric_a)


def sides(
    pictures: tuple[GmfssPrepared, GmfssPrepared],
    link: GmfssLink,
    steps: tuple[float | Tensor, float | Tensor],
) -> tuple[Side, Side]:
    """Both pictures of a link, each with a share of its flow; shares are numbers or maps."""
    return (
        Side(pictures[0], steps[0] * link.ab, steps[0] * link.metric_a),
        Side(pictures[1], steps[1] * link.ba, steps[1] * link.metric_b),
    )


def _exact_enough(tuning: Tuning) -> Tuning:
    """Matching needs a higher precision than bfloat16, with which matches are off by a pixel."""
    if tuning.dtype == torch.bfloat16:
        return replace(tuning, dtype=torch.float32)
    return tuning
