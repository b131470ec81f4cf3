"""The parts of an interpolated picture: source pictures, each with a flow and a weight.

A picture interpolated between interpolated pictures would be warped several times. Every bilinear
warp blurs, and every blend of slightly misaligned pictures thins dark lines. So an interpolated
picture remembers its parts. The flow is still estimated between the interpolated pictures, where
the motion is even, but the result is sampled once, from source pictures, along the composed flows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import torch

from rtvfi.models.warp import backwarp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

NEAR: Final = 2.0
"""Two flows to the same source picture that differ by fewer pixels than this are averaged."""


class Part(NamedTuple):
    """The contribution of one source picture to N interpolated pictures."""

    stack: Tensor
    """(1, 3 + features, H', W'): the source picture, padded; the same object for all its parts."""
    flow: Tensor
    """(N, 2, H', W') float32, pixels: from the interpolated picture to the source picture."""
    weight: Tensor
    """(N, 1, H', W') float32, 0..1; the weights of all parts of a picture add up to 1."""


def share(stack: Tensor, parts: Sequence[Part], flow: Tensor, weight: Tensor) -> list[Part]:
    """The parts that one picture contributes to N new pictures.

    Args:
        stack: the picture, padded.
        parts: its own parts, N = 1; empty for a source picture.
        flow: (N, 2, H', W') float32, pixels: from the new pictures to it.
        weight: (N, 1, H', W') float32: its weight in the new pictures.
    """
    if not parts:
        return [Part(stack, flow, weight)]
    found = []
    for part in parts:
        known = torch.cat((part.flow, part.weight), 1).expand(len(flow), -1, -1, -1)
        there = backwarp(known, flow)
        found.append(Part(part.stack, flow + there[:, :2], weight * there[:, 2:]))
    return found


def merged(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Merge the parts that have the same source picture.

    Where their flows disagree, one of them is occluded: the flow with the larger weight is used.
    """
    found: dict[int, Part] = {}
    for part in parts:
        other = found.get(id(part.stack))
        found[id(part.stack)] = part if other is None else _joined(other, part)
    return tuple(found.values())


def _joined(one: Part, other: Part) -> Part:
    weight = one.weight + other.weight
    step = other.flow - one.flow
    is_near = torch.linalg.vector_norm(step, dim=1, keepdim=True) < NEAR
    mean = torch.addcmul(one.flow, step, other.weight / weight.clamp(min=1e-6))
    stronger = torch.where(one.weight >= other.weight, one.flow, other.flow)
    return Part(one.stack, torch.where(is_near, mean, stronger), weight)


def picture_of(parts: Sequence[Part]) -> Tensor:
    """Compute pictures from their parts: (N, 3, H', W') float32."""
    first, *more = (part.weight * backwarp(_colours(part), part.flow) for part in parts)
    for other in more:
        first.add_(other)
    return first


def _colours(part: Part) -> Tensor:
    return part.stack[:, :3].float().expand(len(part.flow), -1, -1, -1)
