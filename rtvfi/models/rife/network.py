"""RIFE 4.0 to 4.26.heavy: one implementation for all architectures.

The blocks work from coarse to fine. Each adds an increment to the flow, which points from the new
frame to img0 and to img1 and is in full-size pixels. The input of a block is the two pictures (and
their features), warped along the current flow and downscaled to the block's size. Two shortcuts
save work: only the pixels that the downscaling reads are warped (``warp.backwarp_centres``), and an
output that would be upscaled by 16 and then downscaled by 8 is upscaled by 2. So nothing but the
flow exists at full size until the last block.

Formulas: docs/models.md; source: Huang et al., "Real-Time Intermediate Flow Estimation for Video
Frame Interpolation" (2022) and the forward passes of the released versions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.nn import functional

from rtvfi.models.family import strip_prefix
from rtvfi.models.rife.ifnet import Encoder, Wiring, blocks
from rtvfi.models.rife.parts import Part, merged, picture_of, share
from rtvfi.models.rife.shape import SHAPES, IFNetShape, detect
from rtvfi.models.scaled import ScaledBlocks
from rtvfi.models.warp import backwarp, backwarp_centres, centres, enlarge, shrink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from rtvfi.models.base import ModelInfo
    from rtvfi.models.family import State
    from rtvfi.models.tuning import Tuning

RESTART_PIXELS = 32
"""RIFE 4.0 and 4.1 restart at half the size if both flows exceed this length."""


class RifePrepared(NamedTuple):
    """A prepared picture."""

    stack: Tensor
    """(1, 3 + features, H', W'): RGB and encoder features, padded."""
    height: int
    """Height of the picture without padding."""
    width: int
    parts: tuple[Part, ...] = ()
    """The source pictures it was computed from; empty for a source picture."""

    @property
    def image(self) -> Tensor:
        """The picture, (1, 3, H', W'), padded."""
        return self.stack[:, :3]


class Rife(ScaledBlocks):
    """An ``Interpolator``; a timestep may also be a map (1, 1, H, W) of the picture's size.

    Args:
        state: parameters by name of any RIFE 4.x; the prefix ``module.`` and other entries left
            from training are ignored.
        info: the catalogue entry.
        tuning: device, dtype and forms of the layers.
        flow_scale: size at which motion is estimated, one of ``known_scales``.
        nearest: for timesteps closer than this to 0 or 1, the flow is computed at this distance and
            scaled; 0: never. See ``family.NEAREST``.

    Raises:
        WeightsMismatch: ``state`` is not of a RIFE 4.x.
        UsageError: the flow scale is not supported.
    """

    def __init__(
        self,
        state: State,
        info: ModelInfo,
        tuning: Tuning,
        *,
        flow_scale: float = 1.0,
        nearest: float = 0.0,
    ) -> None:
        self.nearest = nearest
        super().__init__(state, info, tuning, flow_scale=flow_scale)

    def _load(self, state: State) -> None:
        self.group = detect(state)
        shape = self.shape = SHAPES[self.group]
        self.block_scales = shape.scales
        state, tuning = strip_prefix(state), self.tuning
        self.encoder = None if shape.encoder == "none" else Encoder(state, shape.encoder, tuning)
        last = len(shape.channels) - 1
        wirings = [
            Wiring(_input_order(shape, i), 5 if i == last else 5 + shape.feedback)
            for i in range(last + 1)
        ]
        self.blocks = blocks(state, shape, wirings, tuning)

    def prepare(self, frame: Tensor) -> RifePrepared:
        """Clamp a (1, 3, H, W) picture to [0, 1], pad it, and compute its encoder features."""
        image = self._fitted(frame)
        if self.encoder is not None:
            image = torch.cat((image, self.encoder(image)), 1)
        return RifePrepared(image, *frame.shape[-2:])

    def pair(self, a: RifePrepared, b: RifePrepared, ts: Sequence[float | Tensor]) -> Tensor:
        """Interpolate at the timesteps: (len(ts), 3, H, W), in the dtype of the network."""
        return self.between(a, b, self.timesteps(a, ts))

    def between(self, a: RifePrepared, b: RifePrepared, t: Tensor) -> Tensor:
        """``pair`` for timesteps (N, 1, H', W') of padded size, or (N, 1, 1, 1)."""
        if self.shape.body == "prelu":
            # The restart is decided on the host for a whole batch; run the timesteps one by one, so
            # that the result at one does not depend on the others.
            return torch.cat([self._between(a, b, one[None]) for one in t])
        out: Tensor = self._run(self._between, a, b, t)
        return out

    def middle(self, a: RifePrepared, b: RifePrepared) -> tuple[Tensor, RifePrepared]:
        """Compute the picture half way between two; see ``base.HasMiddle``.

        Returns:
            The picture, (1, 3, H, W), and the same picture prepared. The latter keeps the parts it
            was computed from.
        """
        parts = self._walked(a, b, self.timesteps(a, [0.5])).parts()
        picture = picture_of(parts).to(self.tuning.dtype)[..., : a.height, : a.width]
        return picture, self.prepare(picture)._replace(parts=parts)

    def _between(self, a: RifePrepared, b: RifePrepared, t: Tensor) -> Tensor:
        return self._walked(a, b, t).picture()[..., : a.height, : a.width]

    def _walked(self, a: RifePrepared, b: RifePrepared, t: Tensor) -> _Walk:
        walk = _Walk(self, a, b, t)
        for i in range(len(self.blocks)):
            walk.step(i)
        return walk

    def coarse_flow(self, a: RifePrepared, b: RifePrepared) -> Tensor:
        """The flow of the first block at t = 0.5, to ``a`` and to ``b``: (1, 4, H', W') float32."""
        walk = _Walk(self, a, b, self.timesteps(a, [0.5]))
        walk.step(0)
        assert walk.flow is not None
        return walk.flow

    def timesteps(self, a: RifePrepared, ts: Sequence[float | Tensor]) -> Tensor:
        """Timesteps as a tensor, float32: (len(ts), 1, 1, 1) if all are numbers.

        If one of them is a map: (len(ts), 1, H', W'), padded.
        """
        device = self.tuning.device
        if not any(isinstance(t, torch.Tensor) and t.numel() > 1 for t in ts):
            # Fill on the device: copying a list to it would make the host wait for earlier work.
            return torch.cat([torch.full((1, 1, 1, 1), float(t), device=device) for t in ts])
        rows, columns = a.stack.shape[-2:]
        maps = [torch.as_tensor(t, dtype=torch.float32, device=device) for t in ts]
        whole = torch.cat([m.expand(1, 1, a.height, a.width) for m in maps])
        extra = (0, columns - a.width, 0, rows - a.height)
        return functional.pad(whole, extra, mode="replicate")


class _Walk:
    """One run through the blocks: keeps the current flow, masks and feedback."""

    def __init__(self, net: Rife, a: RifePrepared, b: RifePrepared, t: Tensor) -> None:
        self.net = net
        self.ends = (a, b)
        # Convert once here, not in every warp.
        self.stacks = (a.stack.float(), b.stack.float())
        self.wanted = t
        self.t = t.clamp(net.nearest, 1 - net.nearest) if net.nearest else t
        self.scales = net.scales
        self.flow: Tensor | None = None
        self.masks: list[tuple[Tensor, float]] = []
        """Mask logits at the size of their block, each with its upscaling factor to full size."""
        self.feedback: tuple[Tensor, float] | None = None

    def step(self, i: int) -> None:
        """Run block ``i`` and add its increments."""
        inputs = self._inputs(i)
        y = self._ask(i, *inputs)
        if i == 1 and self._must_restart(y):
            self._restart()
            inputs = self._inputs(i)
            y = self._ask(i, *inputs)
        self._take(i, y)

    def _take(self, i: int, y: Tensor) -> None:
        increment = self._full_size(i, y)
        self.flow = increment if self.flow is None else self.flow.add_(increment)
        if not self.net.shape.adds_masks:
            self.masks.clear()
        self.masks.append((y[:, 4:5], self._factor(i)))
        self.feedback = (y[:, 5:], self._factor(i))

    def _factor(self, i: int) -> float:
        """Upscaling factor from the output of block ``i`` to full size."""
        return self.scales[i] if self.net.shape.tail == "shuffle" else 2 * self.scales[i]

    def _full_size(self, i: int, y: Tensor) -> Tensor:
        """The flow in the output of block ``i``, upscaled to full size, in full-size pixels."""
        factor = self._factor(i)
        return enlarge(y[:, :4].float() * factor, factor)

    def _ask(self, i: int, a: Tensor, b: Tensor, t: Tensor, rest: list[Tensor]) -> Tensor:
        """Run block ``i``: its output, at its own size."""
        return self.net.blocks[i](self._alike((a, b, t, *rest)))

    def _alike(self, parts: Sequence[Tensor]) -> list[Tensor]:
        """All parts in the network's dtype, expanded to the same size and batch size."""
        batch, dtype = len(self.t), self.net.tuning.dtype
        rows, columns = parts[0].shape[-2:]
        return [p.to(dtype).expand(batch, -1, rows, columns) for p in parts]

    def _inputs(self, i: int) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
        """Pictures, timestep, and [mask logit, (feedback,) flow] at the size of block ``i``."""
        scale = self.scales[i]
        t = self.t if self.t.shape[-1] == 1 else shrink(self.t, scale)
        if self.flow is None:
            a, b = (shrink(stack, scale) for stack in self.stacks)
            return a, b, t, []
        rest = [self._mask_at(scale)]
        if self.feedback is not None and self.net.shape.feedback:
            rest.append(_at_scale(*self.feedback, scale))
        if scale < 2:
            fetched = [enlarge(w, 1 / scale) for w in self._warped(self.stacks, self.flow)]
            rest.append(shrink(self.flow, scale) / scale)
            return fetched[0], fetched[1], t, rest
        flow = centres(self.flow, int(scale))
        rest.append(shrink(flow, 2) / scale)
        a, b = (
            backwarp_centres(stack.expand(len(flow), -1, -1, -1), part, int(scale))
            for stack, part in zip(self.stacks, (flow[:, :2], flow[:, 2:]), strict=True)
        )
        return a, b, t, rest

    def _warped(self, stacks: Sequence[Tensor], flow: Tensor) -> list[Tensor]:
        return [
            backwarp(stack.expand(len(flow), -1, -1, -1), part)
            for stack, part in zip(stacks, (flow[:, :2], flow[:, 2:]), strict=True)
        ]

    def _mask_at(self, scale: float) -> Tensor:
        """The mask logit at 1/scale of full size."""
        first, *more = (_at_scale(y, factor, scale) for y, factor in self.masks)
        return sum(more, start=first)

    def picture(self) -> Tensor:
        """The result, (N, 3, H', W'): both pictures warped along the flow and blended by the mask.

        If one of them was interpolated itself, the source pictures that it was computed from are
        warped instead.
        """
        if any(end.parts for end in self.ends):
            return picture_of(self.parts()).to(self.net.tuning.dtype)
        left, right = self._warped([s[:, :3] for s in self.stacks], self._flow_at_wanted())
        weight = self._mask_at(1).sigmoid()
        return torch.lerp(right, left, weight.float()).to(self.net.tuning.dtype)

    def parts(self) -> tuple[Part, ...]:
        """The parts of the results: source pictures with flow and weight."""
        flow, weight = self._flow_at_wanted(), self._mask_at(1).float().sigmoid()
        a, b = self.ends
        left = share(a.stack, a.parts, flow[:, :2], weight)
        return merged([*left, *share(b.stack, b.parts, flow[:, 2:], 1 - weight)])

    def _flow_at_wanted(self) -> Tensor:
        """The flow at the requested timestep, scaled from that at the timestep the network used."""
        assert self.flow is not None
        if not self.net.nearest:
            return self.flow
        to_left, to_right = self.wanted / self.t, (1 - self.wanted) / (1 - self.t)
        return torch.cat((self.flow[:, :2] * to_left, self.flow[:, 2:] * to_right), 1)

    def _must_restart(self, y: Tensor) -> bool:
        if self.net.shape.body != "prelu":
            return False
        largest = self._full_size(1, y).abs().amax((0, 2, 3))
        left, right = largest.view(2, 2).amax(1).tolist()
        return bool(min(left, right) > RESTART_PIXELS)

    def _restart(self) -> None:
        """Discard all results and run the first block again at half the size."""
        self.scales = tuple(2 * s for s in self.scales)
        self.flow, self.feedback = None, None
        self.masks.clear()
        self._take(0, self._ask(0, *self._inputs(0)))


def _at_scale(y: Tensor, factor: float, scale: float) -> Tensor:
    """Resize ``y``, which has 1/factor of full size, to 1/scale of full size."""
    if scale < 1:
        # The original resizes it to full size first, which loses detail.
        return enlarge(enlarge(y, factor), 1 / scale)
    return enlarge(y, factor / scale)


def _input_order(shape: IFNetShape, block: int) -> list[int]:
    """The trained index (img0, img1, features of img0, features of img1, rest) of each channel.

    Our channels are img0 with its features, img1 with its features, the rest.
    """
    features = shape.features
    first = [0, 1, 2, *range(6, 6 + features)]
    second = [3, 4, 5, *range(6 + features, 6 + 2 * features)]
    return [*first, *second, *range(6 + 2 * features, shape.inputs(block))]
