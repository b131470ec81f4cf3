"""DistilDRBA: one network for what DRBA does with RIFE, ratio maps and splats.

It takes three consecutive pictures and a time near the centre one, and blends the centre with the
neighbour on that side; the third picture is only context. Flow is in pixels of the current size,
from the new frame to the centre and to that neighbour.

Source: routineLife1/VS-DistilDRBA (MIT). Both public drivers output another time than the requested
one; here t is the position of the output, and 1 is the centre.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import torch

from rtvfi.models.family import check_no_others, check_parameters, strip_prefix
from rtvfi.models.rife.ifnet import Encoder, Wiring, blocks
from rtvfi.models.rife.shape import IFNetShape, block_parameters, encoder_parameters
from rtvfi.models.scaled import FLOW_SCALES, ScaledBlocks
from rtvfi.models.triple import Triples
from rtvfi.models.warp import backwarp, enlarge, shrink

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from rtvfi.models.family import State
    from rtvfi.models.triple import Both, Side, Three

FEATURES: Final = 16
STACK: Final = 3 + FEATURES
"""Channels of one picture with its features."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DistilShape:
    """The differences of the two networks."""

    net: IFNetShape
    """Blocks and encoder; ``net.inputs`` does not apply."""
    largest_flow_scale: float
    maps_time: bool
    """True: each block passes a timestep map to the next and adds to the flow. False: each block
    gets t and all three pictures, and replaces the flow.
    """

    def inputs(self, block: int) -> int:
        """Input channels of a block."""
        if block == 0:
            return 3 * STACK + 1
        fetched = 2 * STACK + 1 + 1 + 8 + 4
        return fetched if self.maps_time else 3 * STACK + fetched


def _shape(channels: tuple[int, ...], scales: tuple[int, ...], outputs: int) -> IFNetShape:
    return IFNetShape(
        channels=channels,
        scales=scales,
        encoder="head",
        hidden=16,
        features=FEATURES,
        outputs=outputs,
    )


SHAPES: Final[dict[str, DistilShape]] = {
    "v1": DistilShape(
        net=_shape((192, 128, 96, 64, 32), (16, 8, 4, 2, 1), 14),
        largest_flow_scale=2,
        maps_time=True,
    ),
    "v2-lite": DistilShape(
        net=_shape((192, 128, 96), (16, 8, 4), 13), largest_flow_scale=4, maps_time=False
    ),
}


def expected_parameters(shape: DistilShape) -> dict[str, tuple[int, ...]]:
    """Name and shape of every parameter, without prefix."""
    net = shape.net
    found = encoder_parameters(net.encoder, net.hidden, net.features)
    for i, width in enumerate(net.channels):
        found |= block_parameters(f"block{i}", net, shape.inputs(i), width)
    return found


def detect(state: Mapping[str, Tensor]) -> str:
    """The key of ``SHAPES`` of the network that a state dict belongs to.

    Raises:
        WeightsMismatch: it belongs to neither; the message names a parameter that is missing, has
            the wrong shape or is unknown.
    """
    state = strip_prefix(state)
    name = "v1" if "block4.lastconv.0.weight" in state else "v2-lite"
    expected = expected_parameters(SHAPES[name])
    check_parameters(state, expected, f"DistilDRBA {name}")
    check_no_others(state, expected, f"DistilDRBA {name}")
    return name


class DistilPrepared(NamedTuple):
    """One picture, ready for any triple it is part of."""

    image: Tensor
    """(1, 3, H', W'), padded."""
    stacks: tuple[Tensor, ...]
    """For every block (1, 19, H' / scale, W' / scale): the picture and its features."""
    height: int
    """Height of the picture before padding."""
    width: int
    """Width of the picture before padding."""


class DistilDrba(ScaledBlocks, Triples[DistilPrepared, None]):
    """A ``TripleInterpolator``; flow scales are 0.25, 0.5, 1, 2, and 4 for v2-lite."""

    def _load(self, state: State) -> None:
        self.group = detect(state)
        self.shape = SHAPES[self.group]
        self.known_scales = tuple(s for s in FLOW_SCALES if s <= self.shape.largest_flow_scale)
        state, net, tuning = strip_prefix(state), self.shape.net, self.tuning
        self.block_scales = net.scales
        self.encoder = Encoder(state, net.encoder, tuning)
        last = len(net.channels) - 1
        wirings = [
            Wiring(
                _input_order(self.shape, i),
                5 if i == last else net.outputs,
                0 if i and self.shape.maps_time else 3 * STACK,
            )
            for i in range(last + 1)
        ]
        self.blocks = blocks(state, net, wirings, tuning)

    def prepare(self, frame: Tensor) -> DistilPrepared:
        """Compute padding, pyramid and features of a picture, (1, 3, H, W), clamped to [0, 1]."""
        image = self._fitted(frame)
        divisor = max(self.scales[-1], 1)
        features = self.encoder(shrink(image, divisor))
        stacks = tuple(
            torch.cat((shrink(image, s), shrink(features, s / divisor)), 1) for s in self.scales
        )
        return DistilPrepared(image, stacks, *frame.shape[-2:])

    def link(self, a: DistilPrepared, b: DistilPrepared) -> None:
        """Does nothing: this network shares no motion between triples."""

    def pair(self, a: DistilPrepared, b: DistilPrepared, ts: Sequence[float | Tensor]) -> Tensor:
        """Interpolate between two pictures. The nearer one is used as the centre and in place of
        the missing neighbour.
        """
        numbers = [float(t) for t in ts]
        made: dict[float, Tensor] = {}
        early, late = [t for t in numbers if t <= 0.5], [t for t in numbers if t > 0.5]
        if early:
            out = self.triple((a, a, b), (None, None), [1 + t for t in early])
            made |= dict(zip(early, out, strict=True))
        if late:
            made |= dict(zip(late, self.triple((a, b, b), (None, None), late), strict=True))
        return torch.stack([made[t] for t in numbers])

    def shown(self, picture: DistilPrepared) -> Tensor:
        """The original picture, (1, 3, H, W), of a prepared one."""
        return picture.image[..., : picture.height, : picture.width]

    def _sides(self, frames: Three[DistilPrepared], _links: Both[None]) -> Side:
        centre = frames[1]
        shared = tuple(
            None
            if block.shared is None
            else block.shared(torch.cat([f.stacks[i] for f in frames], 1))
            for i, block in enumerate(self.blocks)
        )

        def make(sign: int, near: list[float]) -> Tensor:
            t = torch.tensor(near, dtype=self.tuning.dtype, device=self.tuning.device)
            out: Tensor = self._run(
                self._beside, centre, frames[1 + sign], shared, t.view(-1, 1, 1, 1)
            )
            return out

        return make

    def _beside(
        self,
        centre: DistilPrepared,
        side: DistilPrepared,
        shared: tuple[Tensor | None, ...],
        t: Tensor,
    ) -> Tensor:
        walk = _Walk(self, centre, side, shared, t)
        for i in range(len(self.blocks)):
            walk.step(i)
        return walk.picture()[..., : centre.height, : centre.width]


class _Walk:
    """One pass through the blocks for timesteps on one side of the centre."""

    def __init__(
        self,
        net: DistilDrba,
        centre: DistilPrepared,
        side: DistilPrepared,
        shared: Sequence[Tensor | None],
        t: Tensor,
    ) -> None:
        self.net = net
        self.pictures = (centre, side)
        self.shared = shared
        self.t = t
        """(N, 1, 1, 1), in the dtype of the network."""
        self.flow: Tensor | None = None
        """(N, 4, h, w), float32, in pixels of its own size: to the centre, to the side."""
        self.rest: list[Tensor] = []
        """Other outputs of the last block, at the flow's size: mask logit, feedback, timestep."""

    def step(self, i: int) -> None:
        """Run block ``i`` and resize its outputs to the size of the next block."""
        net, scales = self.net, self.net.scales
        y = net.blocks[i](self._inputs(i), self.shared[i])
        flow = y[:, :4].float()
        if net.shape.maps_time and self.flow is not None:
            flow = flow + self.flow
        rest = [y[:, 4:5], y[:, 5:13], y[:, 13:14].sigmoid()]
        # A block above full size works on upscaled inputs; its outputs are kept at full size.
        following = max(scales[i + 1], 1) if i + 1 < len(scales) else 1
        factor = scales[i] / following
        self.flow = enlarge(flow, factor) * factor
        self.rest = [enlarge(part, factor) for part in rest if part.shape[1]]

    def _inputs(self, i: int) -> Tensor:
        scale, dtype = self.net.scales[i], self.net.tuning.dtype
        rows, columns = self.pictures[0].stacks[i].shape[-2:]
        t = self.t.expand(-1, 1, rows, columns)
        if self.flow is None:
            return t
        larger = max(1 / scale, 1)
        # Above full size the pictures are warped at full size, the previous block's size.
        level = i if larger == 1 else self.net.scales.index(1)
        fetched = [
            enlarge(backwarp(picture.stacks[level].expand(len(t), -1, -1, -1), part), larger)
            for picture, part in zip(
                self.pictures, (self.flow[:, :2], self.flow[:, 2:]), strict=True
            )
        ]
        self.flow = enlarge(self.flow, larger) * larger
        mask, feedback, *maps = (enlarge(part, larger) for part in self.rest)
        return torch.cat((*fetched, *(maps or [t]), mask, feedback, self.flow.to(dtype)), 1)

    def picture(self) -> Tensor:
        """(N, 3, H', W'): centre and side, warped along the flow and blended by the mask."""
        assert self.flow is not None
        centre, side = (
            backwarp(picture.image.float().expand(len(self.t), -1, -1, -1), part)
            for picture, part in zip(
                self.pictures, (self.flow[:, :2], self.flow[:, 2:]), strict=True
            )
        )
        weight = self.rest[0].sigmoid()
        return torch.lerp(side, centre, weight.float()).to(self.net.tuning.dtype)


def _input_order(shape: DistilShape, block: int) -> list[int]:
    """For each input channel in our order, its index in the order of the trained weights.

    Trained weights expect all images, then all features of the three pictures, then the same for
    the two warped ones, then the rest. Here every picture is followed by its own features.
    """
    order = [] if block and shape.maps_time else _stacked(3, 0)
    if block:
        order += _stacked(2, len(order))
    return [*order, *range(len(order), shape.inputs(block))]


def _stacked(pictures: int, start: int) -> list[int]:
    order: list[int] = []
    for k in range(pictures):
        image, features = start + 3 * k, start + 3 * pictures + FEATURES * k
        order += [*range(image, image + 3), *range(features, features + FEATURES)]
    return order
