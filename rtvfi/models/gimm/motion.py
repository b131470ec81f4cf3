"""The motion part of GIMM-VFI: from the flows between two pictures to flows at any time.

The flow of each picture is encoded as 16 channels. For a given time these are splatted to where the
pixels are at that time, and a small network of time and position decodes the flow from them. All of
it is float32: it is less than a twentieth of the work, and everything else depends on it.

Source: Guo et al., "Generalizable Implicit Motion Modeling for Video Frame Interpolation" (2024).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import torch
from torch.nn import functional

from rtvfi.models.gimm.layers import Chain, Lateral, Parameters, conv
from rtvfi.models.strips import in_strips, strip_rows
from rtvfi.models.warp import backwarp, splat

if TYPE_CHECKING:
    from torch import Tensor

SMALLEST_SCALER: Final = 1e-6
"""Minimum of the scale that flows are divided by, in pixels; equal pictures have no motion."""
_LEAST_SPREAD: Final = 1e-9
_ENCODER_REACH: Final = 9
_REFINER_REACH: Final = 5
_STRIP_BYTES: Final = 1 << 30


class PairMotion(NamedTuple):
    """The motion of a pair of pictures, for all times between them."""

    flows: tuple[Tensor, Tensor]
    """(1, 2, H, W), float32, each: from the first to the second picture, and back."""
    scaler: Tensor
    """(1, 1, 1, 1): the largest component of both flows, pixels."""
    latents: tuple[Tensor, Tensor]
    """(1, 16, H, W) each: the encoded flows."""
    weights: tuple[Tensor, Tensor]
    """(1, 1, H, W) each: weight of a pixel where several land in a splat."""


class Motion:
    """The networks of the motion part.

    Args:
        given: parameters.
    """

    def __init__(self, given: Parameters) -> None:
        given = Parameters(given.state, replace(given.tuning, dtype=torch.float32))
        laterals = [Lateral(given, f"cnn_encoder.{k}") for k in (3, 4, 5)]
        self.encoder = Chain(
            [
                conv(given, "cnn_encoder.0"),
                conv(given, "cnn_encoder.1", "leaky"),
                *laterals,
                _leaky,
                conv(given, "cnn_encoder.7", mirrors=True),
            ]
        )
        self.refiner = Chain(
            [
                conv(given, "res_conv.0"),
                conv(given, "res_conv.1", "leaky"),
                Lateral(given, "res_conv.3"),
                _leaky,
                conv(given, "res_conv.5", mirrors=True),
            ]
        )
        place = given.tuning.place
        self.smoothing = place(given.state["g_filter"][0]).expand(2, 1, 3, 3)
        self.alpha_spread = place(given.state["alpha_v"])
        self.alpha_error = place(given.state["alpha_fe"])
        self.layers = [
            _unit_columns(place(given.state[f"hyponet.params_dict.linear_wb{k}"])) for k in range(5)
        ]

    def pair(self, flow_01: Tensor, flow_10: Tensor) -> PairMotion:
        """Compute what all times between two pictures share.

        Args:
            flow_01: (1, 2, H, W), float32, pixels, from the first to the second picture.
            flow_10: the same shape, from the second to the first.
        """
        longest = torch.maximum(flow_01.abs().amax(), flow_10.abs().amax())
        scaler = longest.clamp(min=SMALLEST_SCALER).view(1, 1, 1, 1)
        # Negate the backward flow, so that both are in the direction of time.
        latents = [self._encoded((f / scaler + 1) / 2) for f in (flow_01, -flow_10)]
        weights = (self.importance(flow_01, flow_10), self.importance(flow_10, flow_01))
        return PairMotion((flow_01, flow_10), scaler, (latents[0], latents[1]), weights)

    def _encoded(self, motion: Tensor) -> Tensor:
        height, width = motion.shape[-2:]
        rows = strip_rows(width, 128, 4, _STRIP_BYTES)
        return in_strips(
            lambda top, end: self.encoder(motion[:, :, top:end]), height, rows, _ENCODER_REACH
        )

    def importance(self, there: Tensor, back: Tensor) -> Tensor:
        """(1, 1, H, W): high where the flow ``there`` is smooth and consistent with ``back``."""
        mean = self._smooth(there)
        spread = self._smooth(there.square()) - mean.square()
        uneven = spread.clamp(min=_LEAST_SPREAD).sqrt().mean(1, keepdim=True)
        apart = (-backwarp(back, there) - there).abs().mean(1, keepdim=True)
        return 1 / (1 + apart * self.alpha_error) + 1 / (1 + uneven * self.alpha_spread)

    def _smooth(self, field: Tensor) -> Tensor:
        mirrored = functional.pad(field, (1, 1, 1, 1), mode="reflect")
        return functional.conv2d(mirrored, self.smoothing, groups=2)

    def at(self, pair: PairMotion, t: float) -> tuple[Tensor, Tensor]:
        """The flows from the frame at ``t`` to the first and to the second picture.

        Returns:
            (1, 2, H, W), float32, each, pixels.
        """
        latent = self.latent_at(pair, t)
        velocity = (2 * self.read(latent, t) - 1) * pair.scaler
        return -t * velocity, (1 - t) * velocity

    def latent_at(self, pair: PairMotion, t: float) -> Tensor:
        """(1, 32, H, W): both encoded flows, splatted to time ``t`` and refined."""
        moved = [
            splat(latent, share * flow, "linear", weight, empty="zero")
            for latent, share, flow, weight in zip(
                pair.latents, (t, 1 - t), pair.flows, pair.weights, strict=True
            )
        ]
        latent = torch.cat(moved, 1)
        height, width = latent.shape[-2:]
        rows = strip_rows(width, 320, 4, _STRIP_BYTES)

        def refined(top: int, end: int) -> Tensor:
            strip = [part[:, :, top:end] for part in (*pair.latents, latent)]
            return self.refiner(torch.cat(strip, 1))

        return latent + in_strips(refined, height, rows, _REFINER_REACH)

    def read(self, latent: Tensor, t: float) -> Tensor:
        """(1, 2, H, W): the network of time and position, evaluated at every pixel."""
        height, width = latent.shape[-2:]
        device = latent.device
        y = (2 * torch.arange(height, device=device, dtype=torch.float32) + 1) / height - 1
        x = (2 * torch.arange(width, device=device, dtype=torch.float32) + 1) / width - 1

        def read(top: int, end: int) -> Tensor:
            size = (1, 1, end - top, width)
            time = latent.new_full(size, t)
            h = torch.cat(
                (latent[:, :, top:end], time, y[top:end, None].expand(size), x.expand(size)), 1
            )
            for k, (weight, bias) in enumerate(self.layers):
                h = functional.conv2d(h, weight, bias)
                h = h.sin_() if k + 1 < len(self.layers) else h.add_(0.5)
            return h

        return in_strips(read, height, strip_rows(width, 384, 4, _STRIP_BYTES), 0)


def _leaky(x: Tensor) -> Tensor:
    return functional.leaky_relu_(x, 0.1)


def _unit_columns(weight_and_bias: Tensor) -> tuple[Tensor, Tensor]:
    """A layer as a 1x1 convolution: columns normalised to length 1, the last row as the bias."""
    weight, bias = weight_and_bias[:-1], weight_and_bias[-1]
    return functional.normalize(weight, dim=0).t()[:, :, None, None].contiguous(), bias.contiguous()
