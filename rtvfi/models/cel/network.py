"""``cel``: the embedded two-frame model, small enough for a CPU; trained by rtvfi.train.

It works on 4:2:0 planes without converting to RGB. An encoder, run once per picture, computes
features at 1/4 to 1/16 of the picture size. A decoder refines a state from 1/16 to 1/4: two flows
(from the new frame to each picture), a mask logit and a few hidden channels. On every level it
compares both pictures at opposite shifts around the point between them (a bilateral correlation),
uses the soft argmax as a first estimate of the residual motion, and corrects that with a few
convolutions; a Lucas-Kanade step refines it to a fraction of a pixel. It can follow motion of 64 px
between two pictures, at half flow scale 128 px, and so on. The pictures are then warped along the
final flows and blended with the mask. No pixels are synthesised, so lines stay lines.

Picture sizes need not be multiples of anything: each level has ceil(size / 2) of the next finer
one, and an upsampled level that is one row or column too large is cropped.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Literal, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from rtvfi.core.errors import UsageError, WeightsMismatch
from rtvfi.models.base import Planes, directly
from rtvfi.models.cel.match import correlate, lucas_kanade, normalise
from rtvfi.models.cel.rows import CEL
from rtvfi.models.cel.shape import STATE, CelShape, shape_of
from rtvfi.models.tuning import in_layout
from rtvfi.models.warp import backwarp, shrink

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from rtvfi.models.base import Runner

PACKED = 6
"""Channels of a packed picture: four luma phases, U, V."""
COARSE = 2
"""Levels from this one on (1/16) use replicate instead of zero padding."""
STILL = 2 / 255
"""Difference that compression typically leaves between two pictures of the same content."""
SMALL_FLOW = 0.25
"""Flows up to this many packed pixels count as no motion, with 1.4 times the weight of motion."""


Levels = tuple["Tensor", ...]
"""Features of one picture, finest level first. Each (N, C + M, h, w), float32: C channels of
context, then M channels for matching, with zero mean and unit length.
"""


class CelPrepared(NamedTuple):
    """One picture, ready to be paired."""

    planes: Planes
    packed: tuple[Tensor, ...]
    """The packed picture at full size, and halved down to the size of the flow scale."""
    lumas: tuple[Tensor, ...]
    """(1, 1, h, w), float32: luma for each of ``packed`` and for every coarser level, each half the
    size of the one before.
    """
    levels: Levels


def pack(planes: Planes) -> Tensor:
    """Convert a picture to the half-size, zero-centred input of the network.

    Args:
        planes: the picture; odd sizes are extended by repeating the last row or column, 4:4:4
            chroma is averaged.

    Returns:
        (N, 6, ceil(H/2), ceil(W/2)), about [-1, 1].
    """
    y, uv = planes
    height, width = y.shape[-2:]
    if height % 2 or width % 2:
        y = F.pad(y, (0, width % 2, 0, height % 2), mode="replicate")
    if uv.shape[-2:] == (height, width) and (height > 1 or width > 1):
        uv = F.avg_pool2d(uv, 2, ceil_mode=True, count_include_pad=False)
    return torch.cat((F.pixel_unshuffle(y, 2) - 0.5, uv * 2), dim=1)


def halve(x: Tensor) -> Tensor:
    """Downscale by two, rounding sizes up: means of 2 x 2 pixels, with an odd border repeated."""
    height, width = x.shape[-2:]
    if height % 2 or width % 2:
        x = F.pad(x, (0, width % 2, 0, height % 2), mode="replicate")
    return shrink(x, 2)


def lumas(packed: Tensor, count: int) -> tuple[Tensor, ...]:
    """The luma of a packed picture at its size, half its size, and so on: ``count`` tensors, each
    (N, 1, h, w).
    """
    all_of_them = [packed[:, :4].float().mean(dim=1, keepdim=True)]
    while len(all_of_them) < count:
        all_of_them.append(halve(all_of_them[-1]))
    return tuple(all_of_them)


def lift(flow: Tensor, height: int, width: int) -> Tensor:
    """Upsample a flow to the next finer level: twice the size, cropped, and twice the length."""
    return upsample(flow * 2, height, width)


def upsample(x: Tensor, height: int, width: int) -> Tensor:
    """Bilinear upsampling by two, cropped to (height, width)."""
    if x.device.type == "cpu" and torch.is_inference_mode_enabled():
        doubled = _twice(_twice(x, 3), 2)
    else:
        doubled = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    return doubled[..., :height, :width]


def _twice(x: Tensor, dim: int) -> Tensor:
    """Upsampling by two along ``dim``. On a CPU both directions together take a quarter of the time
    of interpolate (torch 2.13, AVX-512: 0.8 against 3.1 ms for 5 channels of 270 x 480).
    """
    length = x.shape[dim]
    out = x.new_empty((*x.shape[: dim + 1], 2, *x.shape[dim + 1 :]))
    evens, odds = out.unbind(dim + 1)
    first, last = x.narrow(dim, 0, length - 1), x.narrow(dim, 1, length - 1)
    torch.lerp(last, first, 0.25, out=evens.narrow(dim, 1, length - 1))
    torch.lerp(first, last, 0.25, out=odds.narrow(dim, 0, length - 1))
    evens.select(dim, 0).copy_(x.select(dim, 0))
    odds.select(dim, -1).copy_(x.select(dim, -1))
    return out.flatten(dim, dim + 1)


def conv(inputs: int, outputs: int, level: int, stride: int = 1) -> nn.Conv2d:
    """A 3 x 3 convolution on a level.

    Coarse levels of a training crop are all border. With zero padding the network would learn to
    rely on the zeros, and fail in the middle of large pictures.
    """
    mode: Literal["zeros", "replicate"] = "replicate" if level >= COARSE else "zeros"
    layer = nn.Conv2d(inputs, outputs, 3, stride, 1, padding_mode=mode)
    # The default initialisation would make coarse features too small to be matched.
    nn.init.kaiming_normal_(layer.weight, a=0.25)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


class Residual(nn.Module):
    """x + conv(PReLU(conv(x))), initialised close to the identity."""

    def __init__(self, channels: int, level: int) -> None:
        super().__init__()
        self.a = conv(channels, channels, level)
        self.act = nn.PReLU(channels)
        self.b = conv(channels, channels, level)
        nn.init.normal_(self.b.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        out: Tensor = x + self.b(self.act(self.a(x)))
        return out


class Encoder(nn.Module):
    """Computes the features of a packed picture, finest level first."""

    def __init__(self, shape: CelShape) -> None:
        super().__init__()
        inputs = (PACKED, *shape.features[:-1])
        self.stages = nn.ModuleList(
            nn.Sequential(conv(i, o, level, 2), nn.PReLU(o), conv(o, o, level), nn.PReLU(o))
            for level, (i, o) in enumerate(zip(inputs, shape.features, strict=True))
        )
        self.match = nn.ModuleList(
            nn.Conv2d(o, m, 1, bias=False) for o, m in zip(shape.features, shape.match, strict=True)
        )

    def forward(self, packed: Tensor) -> Levels:
        """(N, 6, h, w) to ``Levels``."""
        x = packed
        levels = []
        for stage, match in zip(self.stages, self.match, strict=True):
            x = stage(x)
            levels.append(torch.cat((x.float(), normalise(match(x))), dim=1))
        return tuple(levels)


class Decoder(nn.Module):
    """Refines the state on one level."""

    def __init__(self, shape: CelShape, level: int) -> None:
        super().__init__()
        self.channels = shape.features[level]
        self.radius = shape.radii[level]
        self.hidden = 0 if level == 0 else shape.hidden
        costs = (2 * self.radius + 1) ** 2
        width = shape.widths[level]
        # 2 pictures, timestep, difference in place, state and hidden, costs
        inputs = 2 * self.channels + 2 + STATE + shape.hidden + costs
        self.head = nn.Sequential(conv(inputs, width, level), nn.PReLU(width))
        self.body = nn.Sequential(*(Residual(width, level) for _ in range(shape.blocks[level])))
        self.out = conv(width, 4 * (STATE + self.hidden), level)
        nn.init.normal_(self.out.weight, std=0.002)
        self.sharpness = nn.Parameter(torch.tensor(10.0))
        steps = torch.arange(-self.radius, self.radius + 1, dtype=torch.float32)
        shifts = torch.stack(torch.meshgrid(steps, steps, indexing="xy")).reshape(2, costs)
        self.register_buffer("shifts", shifts, persistent=False)

    def forward(self, a: Tensor, b: Tensor, context: Tensor, state: Tensor, t: Tensor) -> Tensor:
        """The refined state at twice this level's size, float32.

        Args:
            a: this level of the left picture.
            b: this level of the right picture.
            context: (N, 2, H, W): the timestep, and the difference of both pictures without motion.
            state: (N, 5 + hidden, H, W), float32, flow in pixels of this level.
            t: (N, 1, 1, 1), float32.
        """
        dtype = context.dtype
        a, b = backwarp(a, state[:, 0:2]), backwarp(b, state[:, 2:4])
        costs = correlate(a[:, self.channels :], b[:, self.channels :], self.radius)
        chance = torch.softmax(costs * self.sharpness.float(), dim=1)
        shift = torch.einsum("nchw,dc->ndhw", chance, self.shifts.float())
        flow = state[:, 0:4] + torch.cat((shift * (-2 * t), shift * (2 - 2 * t)), dim=1)
        x = torch.cat(
            (
                a[:, : self.channels].to(dtype),
                b[:, : self.channels].to(dtype),
                context,
                state.to(dtype),
                costs.to(dtype),
            ),
            dim=1,
        )
        x = self.out(self.body(self.head(x)))
        change = F.pixel_shuffle(x, 2).float()
        height, width = change.shape[-2:]
        return torch.cat((lift(flow, height, width) + change[:, 0:4], change[:, 4:]), dim=1)


class CelNet(nn.Module):
    """The network: flows and mask at half size, from the features of two pictures and timesteps."""

    def __init__(self, shape: CelShape | None = None) -> None:
        super().__init__()
        self.shape = shape or CelShape()
        self.encoder = Encoder(self.shape)
        self.decoders = nn.ModuleList(
            Decoder(self.shape, level) for level in range(len(self.shape.features))
        )

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the weights."""
        return next(self.parameters()).dtype

    def encode(self, packed: Tensor) -> Levels:
        """Features of packed pictures (N, 6, h, w)."""
        levels: Levels = self.encoder(packed)
        return levels

    def forward(
        self,
        a: Levels,
        b: Levels,
        difference: Tensor,
        lumas: Sequence[tuple[Tensor, Tensor]],
        t: Tensor,
    ) -> list[Tensor]:
        """Estimate motion from coarse to fine.

        Args:
            a: levels of the left pictures.
            b: levels of the right pictures.
            difference: (N, 1, h, w), mean absolute difference of the packed pictures.
            lumas: luma of the left and the right pictures for every level, see ``lumas``.
            t: (N,), timesteps.

        Returns:
            The states, float32, coarse to fine. The last is (N, 5, h, w): flow to the left (x, y),
            flow to the right (x, y), in pixels of the packed picture, mask logit. Each earlier one
            has half the size of the next and additional hidden channels.
        """
        differences = [difference.to(self.dtype) * 8]
        for _ in a:
            differences.append(halve(differences[-1]))
        t = t.float().view(-1, 1, 1, 1)
        size = (t.shape[0], STATE + self.shape.hidden, *a[-1].shape[-2:])
        state = torch.zeros(size, dtype=torch.float32, device=t.device)
        states = []
        for level in reversed(range(len(a))):
            here = differences[level + 1]
            context = torch.cat((t.to(here.dtype).expand_as(here), here), dim=1)
            state = self.decoders[level](a[level], b[level], context, state, t)
            height, width = differences[level].shape[-2:]
            state = settle(state[..., :height, :width], *lumas[level], t)
            states.append(state)
        return states


def finer(state: Tensor, height: int, width: int) -> Tensor:
    """Upsample the flows and mask logit of a state by two, cropped: (N, 5, height, width)."""
    return upsample(torch.cat((state[:, 0:4] * 2, state[:, 4:5]), dim=1), height, width)


def settle(state: Tensor, left: Tensor, right: Tensor, t: Tensor) -> Tensor:
    """The state with its flows refined by ``lucas_kanade``."""
    return torch.cat((lucas_kanade(state[:, 0:4], left, right, t), state[:, 4:]), dim=1)


def largest_around(x: Tensor) -> Tensor:
    """Maximum over 3 x 3 of non-negative values (max pooling takes 27 times as long on a CPU)."""
    x = F.pad(x, (1, 1, 1, 1))
    x = torch.maximum(torch.maximum(x[..., :-2, :], x[..., 1:-1, :]), x[..., 2:, :])
    return torch.maximum(torch.maximum(x[..., :-2], x[..., 1:-1]), x[..., 2:])


def hold_still(state: Tensor, difference: Tensor) -> Tensor:
    """Set the flow of resting content to zero: a held drawing or a title must not even tremble.

    Content is at rest where both pictures are equal without motion and the flow is below half a
    pixel of luma. (A small object that passes in front of a place that looks the same before and
    after has a larger flow.)

    Args:
        state: (N, 5, h, w), the last state of ``CelNet``.
        difference: (1, 1, h, w), mean absolute difference of the packed pictures.
    """
    flow = state[:, 0:4]
    around = largest_around(difference.float())
    differs = ((around - STILL) / (2 * STILL)).clamp(0, 1)
    size = torch.maximum(
        flow[:, 0:2].square().sum(dim=1, keepdim=True),
        flow[:, 2:4].square().sum(dim=1, keepdim=True),
    )
    moves = (size / SMALL_FLOW**2 - 1).clamp(0, 1)
    # Equal pictures have no motion, even if flat or repeating regions match elsewhere.
    kept = torch.maximum(differs, moves) * (difference.amax() > 0)
    return torch.cat((flow * kept, state[:, 4:5]), dim=1)


def blend(left: Planes, right: Planes, state: Tensor) -> Planes:
    """Warp both pictures along the state's flows and blend them.

    Args:
        left: N pictures.
        right: N pictures.
        state: (N, 5, ceil(H/2), ceil(W/2)), the last state of ``CelNet``.

    Returns:
        Planes like the inputs, not clamped.
    """
    large = finer(state, *left.y.shape[-2:])
    is_whole = left.uv.shape[-2:] == left.y.shape[-2:]
    return Planes(
        _mix(left.y, right.y, large), _mix(left.uv, right.uv, large if is_whole else state)
    )


def _mix(left: Tensor, right: Tensor, state: Tensor) -> Tensor:
    a = backwarp(left, state[:, 0:2])
    b = backwarp(right, state[:, 2:4])
    return torch.lerp(b, a, torch.sigmoid(state[:, 4:5]).to(a.dtype))


class Cel:
    """The model ``cel``, an ``Interpolator`` that runs ``CelNet``.

    Args:
        net: the network.
        flow_scale: size at which motion is estimated: 1, 0.5, 0.25, ... of the picture's.

    Raises:
        UsageError: another flow scale.
    """

    info = CEL

    def __init__(self, net: CelNet, flow_scale: float = 1.0) -> None:
        self.net = net
        self._run: Runner = directly
        self.flow_scale = flow_scale
        self.octaves = round(-math.log2(flow_scale))
        if self.octaves < 0 or 2.0**-self.octaves != flow_scale:
            raise UsageError(
                f'cel does not support the flow scale "{flow_scale}"',
                "use 1, 0.5 or 0.25",
            )

    def at_scale(self, flow_scale: float) -> Cel:
        """The same network at another flow scale; pictures must be prepared again."""
        return Cel(self.net, flow_scale)

    def with_runner(self, runner: Runner) -> Cel:
        """The same network, whose core is run by ``runner``."""
        other = copy.copy(self)
        other._run = runner
        return other

    def prepare(self, frame: Planes) -> CelPrepared:
        """Encode one picture.

        Args:
            frame: N = 1, at least 2 x 2, even or odd, 4:2:0 or 4:4:4, any float dtype.
        """
        packed = [pack(frame).float()]
        for _ in range(self.octaves):
            packed.append(halve(packed[-1]))
        seen = packed[-1].to(self.net.dtype, memory_format=torch.channels_last)
        levels = self.net.encode(seen)
        count = self.octaves + len(levels)
        return CelPrepared(frame, tuple(packed), lumas(packed[0], count), levels)

    def pair(self, a: CelPrepared, b: CelPrepared, ts: Sequence[float | Tensor]) -> Planes:
        """The pictures between ``a`` and ``b``: N = len(ts), dtype of the inputs, not clamped."""
        # Filled on the device: copying a list there would make the host wait for earlier work.
        t = torch.cat([torch.full((1,), float(t), device=a.planes.y.device) for t in ts])
        out: Planes = self._run(self._between, a, b, t)
        return out

    def _between(self, a: CelPrepared, b: CelPrepared, t: Tensor) -> Planes:
        n = len(t)

        def each(tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
            return tuple(tensor.expand(n, -1, -1, -1) for tensor in tensors)

        differences = [
            (left - right).abs().mean(dim=1, keepdim=True)
            for left, right in zip(a.packed, b.packed, strict=True)
        ]
        lights = list(zip(each(a.lumas), each(b.lumas), strict=True))
        state = self.net(
            each(a.levels),
            each(b.levels),
            differences[-1].expand(n, -1, -1, -1),
            lights[self.octaves :],
            t,
        )[-1]
        for left, right in reversed(lights[: self.octaves]):
            state = finer(state, *left.shape[-2:])
            state = settle(state, left, right, t.float().view(-1, 1, 1, 1))
        left_planes, right_planes = (Planes(*each(picture.planes)) for picture in (a, b))
        return blend(left_planes, right_planes, hold_still(state, differences[0]))


def build(state_dict: Mapping[str, Tensor]) -> CelNet:
    """Build the network that fits a weight file's tensors, with these weights.

    Raises:
        WeightsMismatch: names or shapes are not those of a ``cel`` network.
    """
    try:
        net = CelNet(shape_of(state_dict))
        net.load_state_dict(state_dict)
    except (KeyError, RuntimeError) as error:
        raise WeightsMismatch(
            'the weights do not fit the model "cel"', "use a file written by rtvfi.train.export"
        ) from error
    return in_layout(net, torch.channels_last).eval().requires_grad_(False)
